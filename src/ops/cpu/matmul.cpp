#include "ops/cpu/few_rows.h"
#include "ops/cpu/gemm.h"
#include "ops/dispatch.h"

namespace fathom::ops::cpu {

void linear(Context& context, Tensor x, Tensor w, Tensor y, Accumulate accumulate) {
  if (context.batch_invariance == BatchInvariance::on) {
    return linear_of_rows(context, x, w, y, accumulate);
  }
  if (linear_of_few_rows(context, x, w, y, accumulate)) return;
  gemm(context, {x}, {w, true}, y, accumulate);
}

void linear_backward_input(Context& context, Tensor dy, Tensor w, Tensor dx,
                           Accumulate accumulate) {
  gemm(context, {dy}, {w}, dx, accumulate);
}

void linear_backward_weight(Context& context, Tensor dy, Tensor x, Tensor dw,
                            Accumulate accumulate) {
  gemm(context, {dy, true}, {x}, dw, accumulate);
}

}  // namespace fathom::ops::cpu
