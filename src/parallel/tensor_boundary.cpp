#include "parallel/tensor_boundary.h"

#include "core/error.h"

namespace fathom {

std::int64_t TensorBoundary::held_tokens(std::int64_t tokens) const {
  if (!sequence_parallel_) return tokens;
  require(tokens % group_.size() == 0, "{} tokens for {} ranks of sequence parallelism", tokens,
          group_.size());
  return tokens / group_.size();
}

std::int64_t TensorBoundary::all_tokens(std::int64_t held) const {
  return sequence_parallel_ ? held * group_.size() : held;
}

void TensorBoundary::gather(Context& context, Tensor held, Tensor all) {
  group_.all_gather(context, held, all);
}

void TensorBoundary::scatter(Context& context, Tensor all, Tensor held) {
  group_.reduce_scatter(context, all, held);
}

// All ranks' tokens, in memory of their own.
Tensor TensorBoundary::gathered(Context& context, Arena& arena, Tensor x) {
  if (!sequence_parallel_) return x;
  const Tensor all = arena.take(x.dtype, {all_tokens(x.rows()), x.cols()});
  gather(context, x, all);
  return all;
}

// The sum over the ranks, of this rank's tokens under sequence parallelism.
Tensor TensorBoundary::sum(Context& context, Tensor x) {
  if (!sequence_parallel_) {
    group_.all_reduce(context, x);
    return x;
  }
  const Tensor mine = x.slice(0, held_tokens(x.rows()));
  scatter(context, x, mine);
  return mine;
}

Tensor TensorBoundary::enter(Context& context, Arena& arena, Tensor x) {
  return gathered(context, arena, x);
}

Tensor TensorBoundary::leave(Context& context, Tensor x) {
  return sum(context, x);
}

Tensor TensorBoundary::enter_backward(Context& context, Tensor dx) {
  return sum(context, dx);
}

Tensor TensorBoundary::leave_backward(Context& context, Arena& arena, Tensor dx) {
  return gathered(context, arena, dx);
}

void TensorBoundary::cross_entropy(Context& context, Arena& arena, Tensor logits, Tensor targets,
                                   ops::LogitsGradient gradient, float grad_scale, Tensor losses) {
  const ArenaScope scope(arena);
  const std::int64_t ranks = group_.size(), rows_each = (vocab_size_ + ranks - 1) / ranks;
  const std::int64_t first_id = group_.rank() * rows_each;
  const Tensor part = arena.take(DType::f32, {3, logits.rows()});
  const Tensor parts = arena.take(DType::f32, {ranks, 3, logits.rows()});
  ops::cross_entropy_part(context, logits, targets, first_id, part);
  group_.all_gather(context, part, parts);
  ops::cross_entropy_from_parts(context, parts, logits, targets, first_id, gradient, grad_scale,
                                losses);
}

}  // namespace fathom
