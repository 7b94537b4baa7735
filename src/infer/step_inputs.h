// The model's inputs of one step, from the chunks that the scheduler chose:
// built on the host in one block and sent to the device in one copy.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/context.h"
#include "infer/kv_cache.h"
#include "infer/scheduler.h"
#include "model/stage.h"

namespace fathom::infer {

class StepInputs {
 public:
  // Memory for steps of at most this size.
  StepInputs(const SchedulerLimits& limits, std::int64_t max_pages_per_sequence, Device device);

  // The micro-batch of `chunks`, whose sequences have pages of `page_size` tokens. Valid
  // until the next call.
  MicroBatch build(Context& context, const std::vector<Chunk>& chunks, std::int64_t page_size,
                   const KvCache& cache);
  // After build(): the rows of the micro-batch whose logits give a next token, one for
  // each chunk that samples, in order.
  std::span<const std::int32_t> sampled_rows() const { return sampled_rows_; }
  std::size_t bytes() const { return device_memory_.bytes(); }

 private:
  // Appends the values to the host block; returns their place on the device.
  Tensor place(std::span<const std::int32_t> values, Shape shape);

  Buffer device_memory_;
  std::vector<std::int32_t> host_;
  std::vector<std::int32_t> sampled_rows_;
};

}  // namespace fathom::infer
