#include "infer/step_inputs.h"

#include <algorithm>

namespace fathom::infer {
namespace {

// Each tensor starts at a multiple of this many elements (256 bytes).
constexpr std::size_t alignment = 64;

std::size_t aligned(std::int64_t elements) {
  return (static_cast<std::size_t>(elements) + alignment - 1) / alignment * alignment;
}

}  // namespace

StepInputs::StepInputs(const SchedulerLimits& limits, std::int64_t max_pages_per_sequence,
                       Device device)
    : device_memory_(device, (3 * aligned(limits.max_tokens_per_step) +
                              aligned(limits.max_sequences + 1) + aligned(limits.max_sequences) +
                              aligned(limits.max_sequences * max_pages_per_sequence)) *
                                 sizeof(std::int32_t)) {
  host_.reserve(device_memory_.bytes() / sizeof(std::int32_t));
}

Tensor StepInputs::place(std::span<const std::int32_t> values, Shape shape) {
  const std::size_t at = host_.size();
  host_.insert(host_.end(), values.begin(), values.end());
  host_.resize(at + aligned(static_cast<std::int64_t>(values.size())));
  return device_memory_.tensor(DType::i32, shape, at * sizeof(std::int32_t));
}

MicroBatch StepInputs::build(Context& context, const std::vector<Chunk>& chunks,
                             std::int64_t page_size, const KvCache& cache) {
  std::vector<std::int32_t> ids, positions, slots, offsets{0}, lengths, table;
  const auto sequences = static_cast<std::int64_t>(chunks.size());
  std::size_t max_pages = 0;
  for (const Chunk& chunk : chunks) max_pages = std::max(max_pages, chunk.sequence->pages.size());

  MicroBatch batch;
  ops::PagedContext& paged = batch.tokens.paged;
  sampled_rows_.clear();
  for (const Chunk& chunk : chunks) {
    const Sequence& sequence = *chunk.sequence;
    for (std::int64_t t = chunk.first; t < chunk.first + chunk.count; ++t) {
      ids.push_back(sequence.tokens[static_cast<std::size_t>(t)]);
      positions.push_back(static_cast<std::int32_t>(t));
      const std::int64_t page = sequence.pages[static_cast<std::size_t>(t / page_size)];
      slots.push_back(static_cast<std::int32_t>(page * page_size + t % page_size));
    }
    offsets.push_back(static_cast<std::int32_t>(ids.size()));
    lengths.push_back(static_cast<std::int32_t>(chunk.first + chunk.count));
    table.insert(table.end(), sequence.pages.begin(), sequence.pages.end());
    table.resize(lengths.size() * max_pages, 0);
    paged.max_queries = std::max(paged.max_queries, chunk.count);
    paged.max_context = std::max(paged.max_context, chunk.first + chunk.count);
    if (chunk.samples()) sampled_rows_.push_back(static_cast<std::int32_t>(ids.size()) - 1);
  }

  const auto tokens = static_cast<std::int64_t>(ids.size());
  host_.clear();
  batch.ids = place(ids, {tokens});
  batch.tokens.positions = place(positions, {tokens});
  batch.tokens.slots = place(slots, {tokens});
  batch.tokens.cache = cache.layers();
  paged.query_offsets = place(offsets, {sequences + 1});
  paged.context_lengths = place(lengths, {sequences});
  paged.block_table = place(table, {sequences, static_cast<std::int64_t>(max_pages)});
  copy_bytes(device_memory_.data(), device_memory_.device(), host_.data(), cpu_device,
             host_.size() * sizeof(std::int32_t), context.stream);
  return batch;
}

}  // namespace fathom::infer
