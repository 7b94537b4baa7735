// The repetition meter of a training run: greedy answers to a fixed set of prompts, written by the
// weights that are being trained, and how many of them never end and repeat
// (infer/repetition.h). The loss does not show this.
//
// A rank that holds the whole model writes its share of the answers with the generation engine,
// whose paged cache makes a token cost one token's forward; its memory is planned with the run's.
// Ranks that split the model write theirs together without a cache (train/prompt_continuer.h),
// which costs a forward over the whole text for each token. Replicas share the prompts.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "infer/repetition.h"
#include "learn/learner.h"
#include "report/samples.h"
#include "tokenizer/tokenizer.h"
#include "train/plan.h"
#include "train/prompt_continuer.h"
#include "train/repetition_prompts.h"
#include "train/run_tokenizer.h"

namespace fathom {

struct MeterPrompt {
  std::string shown;                 // for people
  std::vector<std::int32_t> tokens;  // as the model reads it, a template's tokens included
  std::string where;                 // for messages
};

struct RepetitionResult {
  infer::RepetitionFigures figures;
  std::vector<TextSample> answers;  // in the order of the prompts
};

class RepetitionMeter {
 public:
  // The same prompts on all ranks, at least one. Throws an input Error that names a prompt
  // that is empty, longer than repetition.prompt_tokens, or leaves no room for max_tokens in a
  // sequence.
  RepetitionMeter(const TrainPlan& plan, const RankGroups& ranks, const Tokenizer& tokenizer,
                  std::vector<MeterPrompt> prompts, std::vector<std::int32_t> end_tokens);

  // The engine's memory on this rank; none where ranks share the model.
  static infer::Engine::Bytes bytes(const TrainPlan& plan);
  // Tokens whose logits the learner must give at once; 0 where the engine writes.
  static std::int64_t logit_rows(const TrainPlan& plan);

  // Takes the memory, and lets a device get ready. The learner outlives this.
  void start(Learner& learner, DeviceBatch& memory);
  // After start(), with the present weights; the same on every rank. Collective.
  RepetitionResult measure(Learner& learner, DeviceBatch& memory);

 private:
  // The answers to this replica's prompts.
  std::vector<infer::Answer> write(Learner& learner, DeviceBatch& memory, std::int64_t max_tokens);
  std::vector<infer::Answer> write_by_engine(std::int64_t max_tokens);
  // All answers in the order of the prompts.
  std::vector<infer::Answer> gather(std::span<const infer::Answer> own) const;
  std::string text_of(std::span<const std::int32_t> tokens) const;

  const RankGroups& ranks_;
  Tokenizer tokenizer_;
  std::vector<MeterPrompt> prompts_;
  std::vector<std::vector<std::int32_t>> own_prompts_;  // of this replica
  std::vector<std::int32_t> end_tokens_, masked_tokens_;
  std::int64_t max_tokens_;
  std::optional<infer::EngineOptions> engine_options_;  // none: ranks share the model
  std::optional<infer::Engine> engine_;
};

// The tokens of a prompt or a conversation as a model reads it before it answers.
using EncodeMeterPrompt = std::function<std::vector<std::int32_t>(const Tokenizer& tokenizer,
                                                                  const RepetitionPrompt& prompt)>;
// For models without a chat template: a prompt as `fathom generate` reads it. Throws an input Error
// for a conversation.
std::vector<std::int32_t> encode_as_text(const Tokenizer& tokenizer,
                                         const RepetitionPrompt& prompt);

// A run's meter, or null when it is off. Throws an input Error without a tokenizer.json, those of
// read_repetition_prompts() and of `encode`, and the meter's. Collective.
std::unique_ptr<RepetitionMeter> make_repetition_meter(
    const TrainPlan& plan, const RankGroups& ranks, const RunTokenizer& tokenizer,
    const EncodeMeterPrompt& encode = encode_as_text);

}  // namespace fathom
