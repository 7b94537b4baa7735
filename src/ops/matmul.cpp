#include "ops/matmul.h"

#include "core/parallel.h"
#include "ops/check.h"
#include "ops/cpu/gemm_bf16.h"
#include "ops/dispatch.h"

namespace fathom::ops {
namespace {

// The shapes of one layer: activations [n, in] and [n, out] and w [out, in].
void check_layer(const Check& check, const Context& context, const Argument& input,
                 const Argument& output, const Argument& weight) {
  check.on(context).rank(weight, 2);
  check.that(input.tensor->shape.rank() >= 1 && output.tensor->shape.rank() >= 1,
             "activations need at least one dimension");
  check.that(input.tensor->rows() == output.tensor->rows(), "the numbers of rows differ");
  check.that(input.tensor->cols() == weight.tensor->shape[1] &&
                 output.tensor->cols() == weight.tensor->shape[0],
             "the widths do not agree");
}

// A product has its operands' type or is f32.
void check_types(const Check& check, const Argument& a, const Argument& b,
                 const Argument& product) {
  check.floating(a).same_type(a, b);
  check.that(product.tensor->dtype == DType::f32 || product.tensor->dtype == a.tensor->dtype,
             "the product must have the operands' type or be f32");
}

}  // namespace

bool suits_ready_threads(const Context& context, DType activations, std::int64_t rows) {
  if (context.device.type != DeviceType::cpu) return false;
  if (rows <= cpu_few_rows || context.batch_invariance == BatchInvariance::on) return true;
  // Such products are cut by rows, in grains of 16: fewer would leave threads without any.
  constexpr std::int64_t grain = 16;
  return activations == DType::bf16 && cpu::processor_has_bf16() && rows >= grain * num_threads();
}

void linear(Context& context, Tensor x, Tensor w, Tensor y, Accumulate accumulate) {
  const Argument arg_x{"x", x}, arg_w{"w", w}, arg_y{"y", y};
  const Check check("linear", {arg_x, arg_w, arg_y});
  check_layer(check, context, arg_x, arg_y, arg_w);
  check_types(check, arg_x, arg_w, arg_y);
  on_device(context, cpu::linear, cuda::linear, x, w, y, accumulate);
}

void linear_backward_input(Context& context, Tensor dy, Tensor w, Tensor dx,
                           Accumulate accumulate) {
  const Argument arg_dy{"dy", dy}, arg_w{"w", w}, arg_dx{"dx", dx};
  const Check check("linear_backward_input", {arg_dy, arg_w, arg_dx});
  check_layer(check, context, arg_dx, arg_dy, arg_w);
  check_types(check, arg_dy, arg_w, arg_dx);
  on_device(context, cpu::linear_backward_input, cuda::linear_backward_input, dy, w, dx,
            accumulate);
}

void linear_backward_weight(Context& context, Tensor dy, Tensor x, Tensor dw,
                            Accumulate accumulate) {
  const Argument arg_dy{"dy", dy}, arg_x{"x", x}, arg_dw{"dw", dw};
  const Check check("linear_backward_weight", {arg_dy, arg_x, arg_dw});
  check_layer(check, context, arg_x, arg_dy, arg_dw);
  check.floating(arg_dy).same_type(arg_dy, arg_x).is(arg_dw, DType::f32);
  on_device(context, cpu::linear_backward_weight, cuda::linear_backward_weight, dy, x, dw,
            accumulate);
}

}  // namespace fathom::ops
