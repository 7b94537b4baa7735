#include "parallel/step_capacity.h"

#include <algorithm>

namespace fathom {
namespace {

std::size_t bytes_of(std::int64_t elements, DType dtype) {
  return static_cast<std::size_t>(elements) * size_of(dtype);
}

// In the loss three f32 numbers of each token; for logits equal blocks of the vocabulary.
std::int64_t vocabulary_elements(const PipelineOptions& o) {
  const std::int64_t ranks = o.ranks.plan().layout.tp;
  const std::int64_t columns_each = (o.model.vocab_size + ranks - 1) / ranks;
  const std::int64_t tokens = std::min(o.micro_tokens, o.stage.logits_chunk);
  return ranks * std::max(3 * tokens, o.logit_rows * columns_each);
}

}  // namespace

GroupCapacities step_capacities(const PipelineOptions& o) {
  const ParallelPlan& plan = o.ranks.plan();
  const std::int64_t d = o.model.hidden_size, pieces = plan.sequence_pieces;
  // Prompts, whose logits are asked for, may be of a length that pieces do not divide: one piece.
  const std::int64_t tokens = o.logit_rows > 0 ? o.micro_tokens : o.micro_tokens / pieces;
  const std::size_t stream = bytes_of(tokens * d, o.dtype);
  GroupCapacities c;
  c.world.bytes = sizeof(float);  // the norm of the gradients
  c.tensor.bytes = std::max(stream, bytes_of(vocabulary_elements(o), DType::f32));
  if (plan.sequence_parallel) {
    const auto tp = static_cast<std::size_t>(plan.layout.tp);
    if (pieces > 1) {
      c.tensor.displaced_bytes = bytes_of(o.micro_tokens / pieces * d, o.dtype) / tp;
    }
    c.beside_products.bytes = stream;
    c.beside_products.begun_bytes = stream / tp;
    c.beside_products.begun = static_cast<int>(pieces);
  }
  const std::int64_t results = std::max(o.micro_tokens, o.logit_rows * o.model.vocab_size);
  c.pipeline.broadcast_bytes = bytes_of(results, DType::f32);
  return c;
}

}  // namespace fathom
