// Samples of generated text at validation points: how the model goes on from the config's
// prompts. They show a reader how the model writes, which the loss does not.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "report/samples.h"
#include "tokenizer/tokenizer.h"
#include "train/plan.h"
#include "train/prompt_continuer.h"
#include "train/run_tokenizer.h"

namespace fathom {

// How a prompt becomes tokens; chat models are asked by their template.
using EncodePrompt =
    std::function<std::vector<std::int32_t>(const Tokenizer& tokenizer, const std::string& prompt)>;

class TextSamples {
 public:
  // Reads the tokenizer on every rank, and waits for all. Without a tokenizer.json there are
  // no samples, which a line of the log says. Throws an input Error that names the prompt
  // when a sequence has no room to continue it. Collective.
  // Without `encode` the model continues the prompt's text.
  TextSamples(const TrainPlan& plan, const RunTokenizer& tokenizer, const RankGroups& ranks,
              EncodePrompt encode = {});

  // The texts of the present weights, the same on every rank; none where none are wanted.
  // `memory` is for micro-batches. Collective within a replica.
  std::vector<TextSample> draw(Learner& learner, DeviceBatch& memory) const;
  // Lets a device get ready for draw(); see Learner::warm_up().
  void warm_up(Learner& learner, DeviceBatch& memory) const;

 private:
  void read(const TrainPlan& plan, const std::string& tokenizer_path, std::int64_t max_length,
            const EncodePrompt& encode);
  std::string text_of(std::span<const std::int32_t> tokens) const;

  std::optional<Tokenizer> tokenizer_;  // none: no samples
  std::vector<std::string> prompts_;
  std::vector<std::vector<std::int32_t>> prompt_tokens_;
  std::vector<std::int32_t> masked_tokens_;
  ContinueOptions options_;
};

}  // namespace fathom
