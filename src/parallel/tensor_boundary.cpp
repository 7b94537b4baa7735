#include "parallel/tensor_boundary.h"

namespace fathom {

Tensor TensorBoundary::leave(Context& context, Tensor x) {
  group_.all_reduce(context, x);
  return x;
}

void TensorBoundary::cross_entropy(Context& context, Arena& arena, Tensor logits, Tensor targets,
                                   ops::LogitsGradient gradient, const ops::LossWeights& weights,
                                   Tensor losses) {
  const ArenaScope scope(arena);
  const std::int64_t ranks = group_.size(), rows_each = (vocab_size_ + ranks - 1) / ranks;
  const std::int64_t first_id = group_.rank() * rows_each;
  const Tensor part = arena.take(DType::f32, {3, logits.rows()});
  const Tensor parts = arena.take(DType::f32, {ranks, 3, logits.rows()});
  ops::cross_entropy_part(context, logits, targets, first_id, part);
  group_.all_gather(context, part, parts);
  ops::cross_entropy_from_parts(context, parts, logits, targets, first_id, gradient, weights,
                                losses);
}

}  // namespace fathom
