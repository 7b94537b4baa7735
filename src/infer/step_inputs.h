// The model's inputs of one step, from the chunks that the scheduler chose:
// built on the host in one block and sent to the device in one copy. On a GPU they are filled up to
// a size of step_sizes.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/context.h"
#include "core/stream.h"
#include "infer/kv_cache.h"
#include "infer/scheduler.h"
#include "model/stage.h"

namespace fathom::infer {

class StepInputs {
 public:
  // Memory for steps of at most this size, of sequences of at most `max_length` tokens.
  StepInputs(const SchedulerLimits& limits, std::int64_t max_length, std::int64_t page_size,
             Device device);

  // The micro-batch of `chunks`. Valid until the next call, whose tensors lie in the same places
  // where step() is the same.
  MicroBatch build(Context& context, const std::vector<Chunk>& chunks, const KvCache& cache);
  // After build(): the rows of the micro-batch in order, each as often as Sequence::logits_after()
  // says; then others to fill up.
  std::span<const std::int32_t> sampled_rows() const { return sampled_rows_; }

  // What decides which work a step is.
  struct Step {
    bool generates = false;  // each sequence reads the one token that was drawn last
    std::int64_t tokens = 0, context = 0;  // sizes
    auto operator<=>(const Step&) const = default;
  };
  Step step() const { return step_; }
  std::size_t bytes() const { return device_memory_.bytes(); }
  std::size_t host_bytes() const { return host_memory_.bytes(); }
  static std::size_t bytes_for(const SchedulerLimits& limits, std::int64_t max_length,
                               std::int64_t page_size, Device device);

 private:
  // Takes memory of the step for a tensor; writes to host() go to the device with it.
  Tensor place(Shape shape);
  std::int32_t* host(const Tensor& tensor) const;
  void describe(const std::vector<Chunk>& chunks);
  void fill_up_rows();
  void write(const Chunk& chunk, std::int64_t sequence, const MicroBatch& batch);

  std::int64_t max_rows_, max_length_, page_size_;
  Buffer device_memory_;
  HostBuffer host_memory_;
  std::size_t used_ = 0;  // elements
  Step step_;
  std::vector<std::int32_t> sampled_rows_;
};

}  // namespace fathom::infer
