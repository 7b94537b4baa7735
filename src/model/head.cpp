#include "model/head.h"

#include <algorithm>

#include "ops/cross_entropy.h"
#include "ops/elementwise.h"

namespace fathom {
namespace {

Parameter& output_embedding(const ModelConfig& config, ParameterStore& parameters) {
  return parameters.at(config.tie_embeddings ? "embedding.weight" : "head.weight");
}

// f(first, count) over the tokens in chunks.
template <class F>
void for_each_chunk(std::int64_t tokens, std::int64_t chunk, F&& f) {
  for (std::int64_t first = 0; first < tokens; first += chunk) {
    f(first, std::min(chunk, tokens - first));
  }
}

// How many of the numbers from `first` on follow each other.
std::size_t run_length(std::span<const std::int32_t> rows, std::size_t first) {
  std::size_t end = first + 1;
  while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
  return end - first;
}

// Rows of x by their numbers, in the arena unless they lie in x as they are.
Tensor chosen_rows(Context& context, Arena& arena, Tensor x, std::span<const std::int32_t> rows) {
  const auto count = std::ssize(rows);
  // Taken in any case, so that the memory does not depend on the numbers.
  const Tensor chosen = arena.take(x.dtype, {count, x.cols()});
  for (std::size_t at = 0; at < rows.size();) {
    const std::size_t run = run_length(rows, at);
    const Tensor from = x.slice(rows[at], static_cast<std::int64_t>(run));
    if (run == rows.size()) return from;
    ops::convert(context, from,
                 chosen.slice(static_cast<std::int64_t>(at), static_cast<std::int64_t>(run)));
    at += run;
  }
  return chosen;
}

}  // namespace

Head::Head(const ModelConfig& config, ParameterStore& parameters, Boundary& boundary,
           std::int64_t chunk_tokens)
    : norm_(config, parameters, "final_norm.weight"),
      output_(output_embedding(config, parameters)),
      boundary_(boundary),
      chunk_tokens_(chunk_tokens) {}

void Head::compute_losses(Context& context, Arena& arena, Tensor x, Tensor targets, Tensor memory,
                          Tensor losses) const {
  for_each_chunk(x.rows(), chunk_tokens_, [&](std::int64_t first, std::int64_t count) {
    const Tensor logits = memory.slice(0, count);
    output_.forward(context, x.slice(first, count), logits);
    boundary_.cross_entropy(context, arena, logits, targets.slice(first, count),
                            ops::LogitsGradient::none, {}, losses.slice(first, count));
  });
}

Head::Saved Head::forward_loss(Context& context, Arena& arena, Tensor residual, Tensor delta,
                               const LossTerms& terms, Tensor losses) const {
  Saved saved;
  saved.norm.h = arena.take(residual.dtype, residual.shape);
  saved.norm.rstd = arena.take(DType::f32, {residual.rows()});
  saved.dy =
      arena.take(residual.dtype, {boundary_.gathered_tokens(residual.rows()), residual.cols()});
  const ArenaScope scope(arena);
  const Tensor y = arena.take(residual.dtype, residual.shape);
  norm_.forward(context, residual, delta, saved.norm, y);
  const Tensor x = boundary_.enter(context, arena, y);
  const Tensor memory =
      arena.take(residual.dtype, {std::min(chunk_tokens_, x.rows()), output_.out_features()});
  if (terms.weigh) {
    compute_losses(context, arena, x, terms.targets, memory, losses);
    terms.weigh(losses);
  }
  const bool has_logits = terms.weigh && x.rows() <= chunk_tokens_;
  for_each_chunk(x.rows(), chunk_tokens_, [&](std::int64_t first, std::int64_t count) {
    const Tensor logits = memory.slice(0, count), part = x.slice(first, count);
    if (!has_logits) output_.forward(context, part, logits);
    boundary_.cross_entropy(context, arena, logits, terms.targets.slice(first, count),
                            ops::LogitsGradient::overwrite, terms.weights.slice(first, count),
                            losses.slice(first, count));
    output_.backward_weight(context, logits, part);
    output_.backward_input(context, logits, saved.dy.slice(first, count));
  });
  saved.dy = boundary_.enter_backward(context, saved.dy);
  return saved;
}

void Head::backward(Context& context, const Saved& saved, Tensor dh) const {
  norm_.backward(context, saved.dy, saved.norm, ops::Incoming::none, dh);
}

void Head::evaluate(Context& context, Arena& arena, Tensor residual, Tensor delta, Tensor targets,
                    Tensor losses) const {
  const ArenaScope scope(arena);
  const Norm::Saved norm{residual, arena.take(DType::f32, {residual.rows()})};
  const Tensor y = arena.take(residual.dtype, residual.shape);
  norm_.forward(context, residual, delta, norm, y);
  const Tensor x = boundary_.enter(context, arena, y);
  const Tensor memory =
      arena.take(residual.dtype, {std::min(chunk_tokens_, x.rows()), output_.out_features()});
  compute_losses(context, arena, x, targets, memory, losses);
}

void Head::logits(Context& context, Arena& arena, Tensor residual, Tensor delta,
                  std::span<const std::int32_t> rows, Tensor logits) const {
  logits_in_parts(context, arena, residual, delta, rows, logits, [](std::int64_t, Tensor) {});
}

void Head::logits_in_parts(Context& context, Arena& arena, Tensor residual, Tensor delta,
                           std::span<const std::int32_t> rows, Tensor memory,
                           const TakeLogits& take) const {
  if (rows.empty()) return;
  const ArenaScope scope(arena);
  const Norm::Saved norm{residual, arena.take(DType::f32, {residual.rows()})};
  const Tensor y = arena.take(residual.dtype, residual.shape);
  norm_.forward(context, residual, delta, norm, y);
  const Tensor x = boundary_.enter(context, arena, y);
  for_each_chunk(std::ssize(rows), memory.rows(), [&](std::int64_t first, std::int64_t count) {
    const ArenaScope part(arena);
    const auto part_rows =
        rows.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    const Tensor logits = memory.slice(0, count);
    boundary_.vocabulary_linear(context, arena, chosen_rows(context, arena, x, part_rows), output_,
                                logits);
    take(first, logits);
  });
}

}  // namespace fathom
