#include "parallel/tensor_boundary.h"

#include <algorithm>

#include "ops/elementwise.h"

namespace fathom {

Tensor TensorBoundary::leave(Context& context, Tensor x) {
  group_.all_reduce(context, x);
  return x;
}

// Ranks gather equal blocks, each a contiguous [rows, columns of the rank], whose columns
// then go to their place among all. Where the vocabulary does not divide, the last rank has
// fewer columns, and the end of its block is not read.
void TensorBoundary::vocabulary_linear(Context& context, Arena& arena, Tensor x,
                                       const Linear& linear, Tensor logits) {
  const ArenaScope scope(arena);
  const std::int64_t ranks = group_.size(), columns_each = (vocab_size_ + ranks - 1) / ranks;
  const std::int64_t rows = x.rows(), own_columns = linear.out_features();
  const Tensor part = arena.take(logits.dtype, {rows * columns_each});
  const Tensor parts = arena.take(logits.dtype, {ranks * rows * columns_each});
  linear.forward(context, x, part.slice(0, rows * own_columns).view({rows, own_columns}));
  group_.all_gather(context, part, parts);
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const std::int64_t first = rank * columns_each;
    const std::int64_t columns = std::min(columns_each, vocab_size_ - first);
    const Tensor block = parts.slice(rank * rows * columns_each, rows * columns);
    ops::convert(context, block.view({rows, columns}), logits.columns(first, columns));
  }
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
