// The generation engine: continues many prompts at once, token by token.
//
// One step() is one forward pass over the chunks that the scheduler chose: parts of
// prompts and single tokens together. The engine knows tokens only; TextEngine handles
// text. One thread at a time may call it.
//
// On a GPU the engine works on a stream of its own, and records the work of a step in which every
// sequence reads one token: steps of the same size are launched as a whole.
//
// A sequence's tokens depend on its request alone, not on what runs beside it, up to the rounding of
// sums, whose order depends on the size of a step. With the context's BatchInvariance::on they and
// their log-probabilities have the same bits in any company, from chunks of any size and from the
// cache. A request that submit() accepts will be finished; submit() refuses a request that the cache
// could never hold.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/context.h"
#include "core/repeated_work.h"
#include "core/stream.h"
#include "infer/batch_sampler.h"
#include "infer/kv_cache.h"
#include "infer/scheduler.h"
#include "infer/step_inputs.h"
#include "model/stage.h"

namespace fathom::infer {

struct EngineOptions {
  SchedulerLimits limits;
  std::int64_t page_size = 16;
  // Longest sequence, prompt included; 0: the model's context.
  std::int64_t max_length = 0;
  // Limit on the memory for keys and values. The engine takes less when all sequences
  // at full length need less.
  std::size_t cache_bytes = std::size_t{4} << 30;
  // Limit on the number of likeliest tokens per step that a request may ask for.
  std::int64_t max_log_probabilities = 20;
  // Rows of the model that are never drawn; TextEngine adds the rows without a token.
  std::vector<std::int32_t> masked_tokens;
};

struct Request {
  std::vector<std::int32_t> prompt;
  // At most this many are generated. 0: the prompt's scores are all that is wanted.
  std::int64_t max_tokens = 128;
  std::vector<std::int32_t> end_tokens;  // ids that end the text; step() returns them too
  SamplingOptions sampling;
  std::optional<std::int64_t> log_probabilities;  // as SamplingRow's
  // The same for the prompt's tokens from scores_from on, which is at least 1: nothing stands before
  // the first. Tokens before are not read again where their keys and values are known.
  std::optional<std::int64_t> prompt_log_probabilities;
  std::int64_t scores_from = 1;
  // Scored too, in place of the prompt's last token; with max_tokens 0 only.
  std::vector<std::int32_t> alternatives = {};
  std::int64_t min_tokens = 0;  // end tokens are not drawn before
};

// A token that was just drawn, and whether it is its sequence's last.
struct GeneratedToken {
  SequenceId sequence;
  DrawnToken drawn;  // token −1: none, for the request asked for scores alone
  FinishReason finish;
  // With the first token of a request that asks for them: the prompt's tokens from scores_from on,
  // then the alternatives, with their log-probabilities.
  std::vector<DrawnToken> prompt_scores = {};
};

class Engine {
 public:
  // `stage` holds the whole model and must outlive the engine. Allocates all memory that
  // the engine will need. Throws an input Error when cache_bytes does not hold a page, or
  // when an option is out of range.
  Engine(const Stage& stage, Context& context, EngineOptions options);

  // Queues a prompt. Throws an input Error when the prompt is empty, too long, has ids
  // outside the vocabulary or needs more cache than there is, and when an option is out of
  // range. A sequence ends at max_length() if max_tokens would take it further
  // (FinishReason::length).
  SequenceId submit(Request request);
  // Throws what submit() would for this request. Any thread may call it.
  void check(const Request& request) const;
  // Runs the model once and returns the tokens drawn, valid until the next call. A step
  // that only reads parts of long prompts draws none.
  std::span<const GeneratedToken> step();
  // Ends a sequence early (a stop string, a client that left). False when it has
  // ended already.
  bool cancel(SequenceId id) { return scheduler_.cancel(id); }
  bool idle() const { return scheduler_.empty(); }
  // To be called when the stage's weights have changed, while the engine is idle.
  void forget_prefixes() { scheduler_.forget_prefixes(); }
  // The same beside sequences: what they drew stays, and the rest is of the new weights.
  void restart_sequences() { scheduler_.restart_sequences(); }
  // While held, no further sequence starts.
  void hold_admission(bool held) { scheduler_.hold_admission(held); }

  const Scheduler& scheduler() const { return scheduler_; }
  // Length limit of a sequence in tokens, prompt included.
  std::int64_t max_length() const { return max_length_; }
  // Memory of the engine in bytes: the cache included, the weights not.
  std::size_t bytes() const;
  // The same before any is taken, for a model of this kind.
  struct Bytes {
    std::size_t device = 0;
    std::size_t host = 0;  // beside a device that is not the host
  };
  static Bytes planned_bytes(const ModelConfig& config, DType dtype, Device device,
                             EngineOptions options);

 private:
  void check_request(const Request& request) const;
  void check_scores(const Request& request) const;
  // Length that the sequence may reach, prompt included. Throws an input Error when the
  // cache cannot hold it.
  std::int64_t final_length(const Request& request) const;
  // The rows of a step, and their sequences.
  void collect_rows(const std::vector<Chunk>& chunks);
  // The row of the logits after token t with this number, of Sequence::logits_after().
  void collect_row(Sequence& sequence, std::int64_t t, std::int64_t number);
  void finish_scores(Sequence& sequence);
  // Runs the model over the batch and takes its rows.
  void run(const MicroBatch& batch);
  // The same for a step that generates: returns the logits of all rows.
  Tensor generate(const MicroBatch& batch);
  // Takes the tokens of rows_ from `first` on.
  void take(std::int64_t first, Tensor logits);

  const Stage& stage_;
  Context& context_;
  EngineOptions options_;
  std::int64_t max_length_;
  Scheduler scheduler_;
  KvCache cache_;
  StepInputs inputs_;
  Arena arena_;
  Buffer logits_;  // [step_size(max_sequences), V] f32 on the device
  std::optional<OwnedStream> stream_;  // none on a CPU
  Event weights_ready_;
  BatchSampler sampler_;
  std::vector<SamplingRow> rows_;
  std::vector<Sequence*> row_sequences_;
  std::vector<GeneratedToken> generated_;
  SequenceId next_id_ = 0;
  RepeatedWork<StepInputs::Step> recorded_;  // steps that generate
};

}  // namespace fathom::infer
