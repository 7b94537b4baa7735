// Where a sub-layer meets tensor and sequence parallelism: two calls a sub-layer
// and their adjoints. On one rank each returns its argument.
//
// `enter` turns what a rank holds of the residual stream (its tokens, under
// sequence parallelism) into the input of a column-parallel linear (all tokens);
// `leave` sums the partial outputs of a row-parallel linear over the tensor group
// and gives each rank its tokens. They are each other's adjoints, so the backward of
// each is the other.
//
// `enter` takes memory for its result from the arena; `leave` leaves it within its
// argument's memory.
//
// A layer's products stand next to these calls: its first is a column-parallel linear, its
// last a row-parallel one. They go through the boundary, so that an implementation can run
// a collective beside its product. Entering and Leaving carry what is under way from one
// call to the next.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/context.h"
#include "model/linear.h"
#include "ops/cross_entropy.h"

namespace fathom {

// The input of a linear [all tokens, d], which may still be arriving: only the linears of the
// boundary that gave it may read it.
struct Entering {
  Tensor tensor;
  // Equal pieces of the tokens, in their order, each by its number with the boundary. None: all
  // has arrived.
  std::vector<std::int64_t> pieces;
};

// This rank's part of a sum over the tensor group [all tokens, d]. Its memory stays as it is
// until end_leave() returns the sum.
struct [[nodiscard]] Leaving {
  // A piece of the tokens whose sum has begun.
  struct Piece {
    std::int64_t number = 0;  // with the boundary
    // What is left to do once the others' parts have arrived, known by then; empty: nothing.
    std::shared_ptr<std::function<void(Context&)>> add;
  };
  Tensor tensor;
  std::vector<Piece> pieces;  // none: nothing has begun
};

class Boundary {
 public:
  virtual ~Boundary() = default;
  // This rank's place in the tensor group.
  virtual TensorShard shard() const { return {}; }
  // Ranks that share the tokens of the residual stream equally.
  virtual int token_ranks() const { return 1; }
  // Of `tokens` tokens, those that this rank holds of the residual stream; and back.
  std::int64_t held_tokens(std::int64_t tokens) const;
  std::int64_t gathered_tokens(std::int64_t held) const { return held * token_ranks(); }

  virtual Tensor enter(Context&, Arena&, Tensor x) { return x; }
  virtual Tensor leave(Context&, Tensor x) { return x; }
  Tensor enter_backward(Context& context, Tensor dx) { return leave(context, dx); }
  Tensor leave_backward(Context& context, Arena& arena, Tensor dx) {
    return enter(context, arena, dx);
  }

  // The same four around the linears below.
  virtual Entering begin_enter(Context& context, Arena& arena, Tensor x);
  virtual Tensor end_leave(Context& context, const Leaving& x);
  Tensor end_enter_backward(Context& context, const Leaving& dx) { return end_leave(context, dx); }
  Entering begin_leave_backward(Context& context, Arena& arena, Tensor dx) {
    return begin_enter(context, arena, dx);
  }
  // y = x wᵀ
  void column_linear(Context& context, const Entering& x, const Linear& linear, Tensor y);
  // dx = dy w; dw += dyᵀ x
  Leaving column_linear_backward(Context& context, Tensor dy, const Entering& x,
                                 const Linear& linear, Tensor dx);
  // y = x wᵀ
  Leaving row_linear(Context& context, Tensor x, const Linear& linear, Tensor y);
  // dx = dy w; dw += dyᵀ x
  void row_linear_backward(Context& context, const Entering& dy, Tensor x, const Linear& linear,
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

 protected:
  // Linear::forward or Linear::backward_input.
  using Product = void (Linear::*)(Context&, const Operand& from, Tensor to) const;
  virtual void multiply_entering(Context& context, const Entering& x, const Linear& linear,
                                 Product product, Tensor y);
  virtual Leaving multiply_leaving(Context& context, const Operand& x, const Linear& linear,
                                   Product product, Tensor y);
  // x may be read by what `context` queues from now on.
  virtual void await(Context&, const Entering&) {}
};

}  // namespace fathom
