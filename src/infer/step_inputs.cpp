#include "infer/step_inputs.h"

#include <algorithm>
#include <numeric>

#include "infer/step_sizes.h"

namespace fathom::infer {
namespace {

// Each tensor starts at a multiple of this many elements (256 bytes).
constexpr std::size_t alignment_elements = 64;

std::size_t aligned_elements(std::int64_t elements) {
  return (static_cast<std::size_t>(elements) + alignment_elements - 1) / alignment_elements *
         alignment_elements;
}

}  // namespace

std::size_t StepInputs::bytes_for(const SchedulerLimits& limits, std::int64_t max_length,
                                  std::int64_t page_size, Device device) {
  const std::int64_t tokens = step_size(device, limits.max_tokens_per_step);
  const std::int64_t sequences = step_size(device, limits.max_sequences);
  return sizeof(std::int32_t) *
         (3 * aligned_elements(tokens) + aligned_elements(sequences + 1) +
          aligned_elements(sequences) +
          aligned_elements(sequences * KvCache::pages_for(max_length, page_size)));
}

StepInputs::StepInputs(const SchedulerLimits& limits, std::int64_t max_length,
                       std::int64_t page_size, Device device)
    : max_rows_(step_size(device, limits.max_sequences)),
      max_length_(max_length),
      page_size_(page_size),
      device_memory_(device, bytes_for(limits, max_length, page_size, device)),
      host_memory_(device, device_memory_.bytes()) {}

Tensor StepInputs::place(Shape shape) {
  const Tensor tensor = device_memory_.tensor(DType::i32, shape, used_ * sizeof(std::int32_t));
  used_ += aligned_elements(tensor.elements());
  return tensor;
}

std::int32_t* StepInputs::host(const Tensor& tensor) const {
  const auto offset = static_cast<const std::byte*>(tensor.data) -
                      static_cast<const std::byte*>(device_memory_.data());
  return reinterpret_cast<std::int32_t*>(static_cast<std::byte*>(host_memory_.data()) + offset);
}

void StepInputs::describe(const std::vector<Chunk>& chunks) {
  std::int64_t tokens = 0, context = 0;
  step_.generates = true;
  for (const Chunk& chunk : chunks) {
    tokens += chunk.count;
    context = std::max(context, chunk.first + chunk.count);
    if (chunk.count > 1 || !chunk.samples()) step_.generates = false;
  }
  const Device device = device_memory_.device();
  step_.tokens = step_size(device, tokens);
  step_.context = device.type == DeviceType::cpu ? context : context_size(context, max_length_);
}

// The inputs of a chunk, which is the sequence of this number in the step.
void StepInputs::write(const Chunk& chunk, std::int64_t sequence, const MicroBatch& batch) {
  const Sequence& from = *chunk.sequence;
  const ops::PagedContext& paged = batch.tokens.paged;
  std::int32_t* const offsets = host(paged.query_offsets) + sequence;
  const std::int64_t row = offsets[0];
  std::int32_t *const ids = host(batch.ids), *const positions = host(batch.tokens.positions),
                      *const slots = host(batch.tokens.slots);
  for (std::int64_t i = 0; i < chunk.count; ++i) {
    const std::int64_t t = chunk.first + i;
    const std::int64_t page = from.pages[static_cast<std::size_t>(t / page_size_)];
    ids[row + i] = from.tokens[static_cast<std::size_t>(t)];
    positions[row + i] = static_cast<std::int32_t>(t);
    slots[row + i] = static_cast<std::int32_t>(page * page_size_ + t % page_size_);
    sampled_rows_.insert(sampled_rows_.end(), static_cast<std::size_t>(from.logits_after(t)),
                         static_cast<std::int32_t>(row + i));
  }
  offsets[1] = static_cast<std::int32_t>(row + chunk.count);
  host(paged.context_lengths)[sequence] = static_cast<std::int32_t>(chunk.first + chunk.count);
  const std::int64_t columns = paged.block_table.cols();
  const auto pages = std::min(columns, std::ssize(from.pages));
  std::copy_n(from.pages.begin(), pages, host(paged.block_table) + sequence * columns);
}

// As many times max_sequences as the rows fill, and a size for the rest.
void StepInputs::fill_up_rows() {
  if (sampled_rows_.empty()) return;
  const std::int64_t rows = std::ssize(sampled_rows_), full = rows / max_rows_ * max_rows_;
  const std::int64_t filled = full + step_size(device_memory_.device(), rows - full);
  // Rows in a row are copied at once.
  while (std::ssize(sampled_rows_) < filled) {
    sampled_rows_.push_back(
        static_cast<std::int32_t>((sampled_rows_.back() + 1) % step_.tokens));
  }
}

MicroBatch StepInputs::build(Context& context, const std::vector<Chunk>& chunks,
                             const KvCache& cache) {
  describe(chunks);
  const std::int64_t tokens = step_.tokens;
  const std::int64_t sequences = step_.generates ? tokens : std::ssize(chunks);
  used_ = 0;
  MicroBatch batch;
  ops::PagedContext& paged = batch.tokens.paged;
  batch.ids = place({tokens});
  batch.tokens.positions = place({tokens});
  batch.tokens.slots = place({tokens});
  batch.tokens.cache = cache.layers();
  paged.query_offsets = place({sequences + 1});
  paged.context_lengths = place({sequences});
  paged.block_table = place({sequences, KvCache::pages_for(step_.context, page_size_)});
  paged.max_context = step_.context;

  // What fills up is token 0 at position 0, stored nowhere, and sequences without queries.
  std::fill_n(host(batch.ids), used_, 0);
  std::fill_n(host(batch.tokens.slots), tokens, -1);
  sampled_rows_.clear();
  for (std::size_t s = 0; s < chunks.size(); ++s) {
    paged.max_queries = std::max(paged.max_queries, chunks[s].count);
    write(chunks[s], static_cast<std::int64_t>(s), batch);
  }
  std::int32_t* const offsets = host(paged.query_offsets);
  std::fill(offsets + chunks.size(), offsets + sequences + 1, offsets[chunks.size()]);
  fill_up_rows();
  // A step that generates samples its rows in order, those that fill up too.
  if (step_.generates) std::iota(sampled_rows_.begin(), sampled_rows_.end(), 0);
  copy_bytes(device_memory_.data(), device_memory_.device(), host_memory_.data(), cpu_device,
             used_ * sizeof(std::int32_t), context.stream);
  return batch;
}

}  // namespace fathom::infer
