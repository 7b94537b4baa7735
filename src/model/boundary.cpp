#include "model/boundary.h"

#include "ops/matmul.h"

namespace fathom {

void Boundary::column_linear(Context& context, Tensor x, const Parameter& w, Tensor y) {
  ops::linear(context, x, w.weight, y);
}

void Boundary::column_linear_backward(Context& context, Tensor dy, Tensor x, Parameter& w,
                                      Tensor dx) {
  ops::linear_backward_input(context, dy, w.weight, dx);
  ops::linear_backward_weight(context, dy, x, w.gradient, w.accumulate());
}

void Boundary::row_linear(Context& context, Tensor x, const Parameter& w, Tensor y) {
  ops::linear(context, x, w.weight, y);
}

void Boundary::row_linear_backward(Context& context, Tensor dy, Tensor x, Parameter& w, Tensor dx) {
  ops::linear_backward_input(context, dy, w.weight, dx);
  ops::linear_backward_weight(context, dy, x, w.gradient, w.accumulate());
}

}  // namespace fathom
