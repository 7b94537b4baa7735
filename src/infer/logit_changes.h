// What a request does to the logits before a token is drawn: its penalties, its bias, and tokens
// that may not come yet, as one change per token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "infer/sampling_options.h"
#include "ops/sampling.h"

namespace fathom::infer {

class LogitChanges {
 public:
  // The changes for the token that follows `history`, each token at most once; tokens outside
  // [0, vocabulary) are left out. Valid until the next call.
  //   repetition_penalty: tokens of the prompt and generated ones, as transformers;
  //   presence_penalty + count * frequency_penalty: generated ones, as OpenAI's API.
  std::span<const ops::LogitChange> of(std::span<const std::int32_t> history,
                                  const SamplingOptions& options, const SequenceState& state,
                                  std::int64_t vocabulary);

 private:
  // The change of a token; null outside the vocabulary.
  ops::LogitChange* at(std::int32_t token);

  std::vector<ops::LogitChange> changes_;
  std::vector<std::int32_t> places_;  // by token: index into changes_ plus 1; 0: none yet
};

}  // namespace fathom::infer
