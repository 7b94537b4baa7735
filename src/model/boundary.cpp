#include "model/boundary.h"

namespace fathom {

void Boundary::column_linear(Context& context, Tensor x, const Linear& linear, Tensor y) {
  linear.forward(context, x, y);
}

void Boundary::column_linear_backward(Context& context, Tensor dy, Tensor x, const Linear& linear,
                                      Tensor dx) {
  linear.backward_input(context, dy, dx);
  linear.backward_weight(context, dy, x);
}

void Boundary::row_linear(Context& context, Tensor x, const Linear& linear, Tensor y) {
  linear.forward(context, x, y);
}

void Boundary::row_linear_backward(Context& context, Tensor dy, Tensor x, const Linear& linear,
                                   Tensor dx) {
  linear.backward_input(context, dy, dx);
  linear.backward_weight(context, dy, x);
}

void Boundary::vocabulary_linear(Context& context, Arena&, Tensor x, const Linear& linear,
                                 Tensor logits) {
  linear.forward(context, x, logits);
}

}  // namespace fathom
