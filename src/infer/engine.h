// The generation engine: prompts in, tokens out, many sequences at once.
//
// One step() is one forward pass over whatever the scheduler chose: parts of
// prompts and single tokens together. The engine knows tokens only; text is
// TextStream's. Used by `generate`, evaluation and the server; one thread at a
// time may call it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/context.h"
#include "infer/kv_cache.h"
#include "infer/sampler.h"
#include "infer/scheduler.h"
#include "infer/step_inputs.h"
#include "model/stage.h"

namespace fathom::infer {

struct EngineOptions {
  SchedulerLimits limits;
  std::int64_t page_size = 16;
  // Longest sequence, prompt included; 0: the model's context.
  std::int64_t max_length = 0;
  // Most memory for keys and values. The engine takes less when all sequences at
  // full length need less.
  std::size_t cache_bytes = std::size_t{4} << 30;
};

struct Request {
  std::vector<std::int32_t> prompt;
  std::int64_t max_tokens = 128;         // at most this many are generated
  std::vector<std::int32_t> end_tokens;  // ids that end the text; they are handed out too
  SamplingOptions sampling;
};

// A token that was just drawn, and whether it is its sequence's last.
struct GeneratedToken {
  SequenceId sequence;
  std::int32_t token;
  FinishReason finish;
};

class Engine {
 public:
  // `stage` holds the whole model and outlives the engine. Takes all memory the
  // engine will need; throws an input Error when cache_bytes is too small for
  // one sequence of max_length.
  Engine(const Stage& stage, Context& context, const EngineOptions& options);

  // Queues a prompt. Throws an input Error for one that is empty, too long, or
  // has ids outside the vocabulary, and for sampling options out of range.
  SequenceId submit(Request request);
  // Runs the model once; the tokens drawn are valid until the next call. A step
  // that only reads parts of long prompts draws none.
  std::span<const GeneratedToken> step();
  // Ends a sequence early (a stop string, a client that left).
  void cancel(SequenceId id) { scheduler_.cancel(id); }
  bool idle() const { return scheduler_.empty(); }

  const Scheduler& scheduler() const { return scheduler_; }
  std::int64_t max_length() const { return max_length_; }
  // Bytes the engine holds besides the weights, cache included.
  std::size_t bytes() const;

 private:
  void sample(const std::vector<Chunk>& chunks);

  const Stage& stage_;
  Context& context_;
  EngineOptions options_;
  std::int64_t max_length_;
  Scheduler scheduler_;
  KvCache cache_;
  StepInputs inputs_;
  Arena arena_;
  Buffer logits_;  // [max_sequences, V] f32 on the device
  std::vector<float> host_logits_;
  std::vector<TokenSampler> samplers_;
  std::vector<GeneratedToken> generated_;
  SequenceId next_id_ = 0;
};

}  // namespace fathom::infer
