#include "model/boundary.h"

#include "core/error.h"

namespace fathom {

std::int64_t Boundary::held_tokens(std::int64_t tokens) const {
  require(tokens % token_ranks() == 0, "{} tokens for {} ranks of sequence parallelism", tokens,
          token_ranks());
  return tokens / token_ranks();
}

Entering Boundary::begin_enter(Context& context, Arena& arena, Tensor x) {
  return {enter(context, arena, x), {}};
}

Tensor Boundary::end_leave(Context& context, const Leaving& x) {
  return leave(context, x.tensor);
}

void Boundary::column_linear(Context& context, const Entering& x, const Linear& linear, Tensor y) {
  multiply_entering(context, x, linear, &Linear::forward, y);
}

// The product for dw, which needs no sum, hides that of dx.
Leaving Boundary::column_linear_backward(Context& context, Tensor dy, const Entering& x,
                                         const Linear& linear, Tensor dx) {
  const ArenaScope scope(context.workspace);
  const Operand gradient = linear.gradient(context, dy);
  Leaving leaving = multiply_leaving(context, gradient, linear, &Linear::backward_input, dx);
  await(context, x);
  linear.backward_weight(context, gradient, x.tensor);
  return leaving;
}

Leaving Boundary::row_linear(Context& context, Tensor x, const Linear& linear, Tensor y) {
  return multiply_leaving(context, x, linear, &Linear::forward, y);
}

void Boundary::row_linear_backward(Context& context, const Entering& dy, Tensor x,
                                   const Linear& linear, Tensor dx) {
  if (!dy.pieces.empty()) {
    multiply_entering(context, dy, linear, &Linear::backward_input, dx);
    return linear.backward_weight(context, dy.tensor, x);
  }
  const ArenaScope scope(context.workspace);
  const Operand gradient = linear.gradient(context, dy.tensor);
  linear.backward_input(context, gradient, dx);
  linear.backward_weight(context, gradient, x);
}

void Boundary::vocabulary_linear(Context& context, Arena&, Tensor x, const Linear& linear,
                                 Tensor logits) {
  linear.forward(context, x, logits);
}

void Boundary::multiply_entering(Context& context, const Entering& x, const Linear& linear,
                                 Product product, Tensor y) {
  (linear.*product)(context, x.tensor, y);
}

Leaving Boundary::multiply_leaving(Context& context, const Operand& x, const Linear& linear,
                                   Product product, Tensor y) {
  (linear.*product)(context, x, y);
  return {y, {}};
}

}  // namespace fathom
