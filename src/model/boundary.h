// Where a sub-layer meets tensor and sequence parallelism: two calls a sub-layer
// and their adjoints. On one rank each returns its argument.
//
// `enter` turns what a rank holds of the residual stream (its tokens, under
// sequence parallelism) into the input of a column-parallel linear (all tokens);
// `leave` sums the partial outputs of a row-parallel linear over the tensor group
// and gives each rank its tokens. They are each other's adjoints:
// enter_backward sums and scatters, leave_backward gathers.
//
// The gathering calls take memory for their result from the arena; the summing
// ones leave it within their argument's memory.
//
// A layer's products stand next to these calls: its first is a column-parallel linear, its
// last a row-parallel one. They go through the boundary, so that an implementation can run
// a collective beside its product.
#pragma once

#include "core/context.h"
#include "model/linear.h"
#include "ops/cross_entropy.h"

namespace fathom {

class Boundary {
 public:
  virtual ~Boundary() = default;
  // This rank's place in the tensor group.
  virtual TensorShard shard() const { return {}; }
  // Of `tokens` tokens, those that this rank holds of the residual stream; and back.
  virtual std::int64_t held_tokens(std::int64_t tokens) const { return tokens; }
  virtual std::int64_t all_tokens(std::int64_t held) const { return held; }

  virtual Tensor enter(Context&, Arena&, Tensor x) { return x; }
  virtual Tensor leave(Context&, Tensor x) { return x; }
  virtual Tensor enter_backward(Context&, Tensor dx) { return dx; }
  virtual Tensor leave_backward(Context&, Arena&, Tensor dx) { return dx; }
  // The same four around the linears below: what begin_...() returns may be on its way still,
  // and only these may read it; end_...() returns the sum of what they have written.
  virtual Tensor begin_enter(Context& context, Arena& arena, Tensor x) {
    return enter(context, arena, x);
  }
  virtual Tensor end_leave(Context& context, Tensor x) { return leave(context, x); }
  virtual Tensor end_enter_backward(Context& context, Tensor dx) {
    return enter_backward(context, dx);
  }
  virtual Tensor begin_leave_backward(Context& context, Arena& arena, Tensor dx) {
    return leave_backward(context, arena, dx);
  }
  // y = x wᵀ, x from begin_enter().
  virtual void column_linear(Context& context, Tensor x, const Linear& linear, Tensor y);
  // dx = dy w, for end_enter_backward(); dw += dyᵀ x, x from begin_enter().
  virtual void column_linear_backward(Context& context, Tensor dy, Tensor x, const Linear& linear,
                                      Tensor dx);
  // y = x wᵀ, for end_leave().
  virtual void row_linear(Context& context, Tensor x, const Linear& linear, Tensor y);
  // dx = dy w, dw += dyᵀ x, dy from begin_leave_backward().
  virtual void row_linear_backward(Context& context, Tensor dy, Tensor x, const Linear& linear,
                                   Tensor dx);

  // logits [rows, V] = x wᵀ, w this rank's rows of the output embedding. Every rank gets
  // the logits of the whole vocabulary.
  virtual void vocabulary_linear(Context& context, Arena& arena, Tensor x, const Linear& linear,
                                 Tensor logits);

  // As ops::cross_entropy, on this rank's columns of the logits. Every rank gets the
  // losses.
  virtual void cross_entropy(Context& context, Arena&, Tensor logits, Tensor targets,
                             ops::LogitsGradient gradient, const ops::LossWeights& weights,
                             Tensor losses) {
    ops::cross_entropy(context, logits, targets, gradient, weights, losses);
  }
};

}  // namespace fathom
