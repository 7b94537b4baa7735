// Chooses the next token from the logits.
//
// The filters and their order are those of Hugging Face's transformers:
// repetition penalty (then OpenAI's penalties and bias), temperature, top-k, top-p, min-p. The
// random number is Philox at (seed, stream, position of the token), so that a sequence's tokens
// depend neither on what runs beside it nor on the number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "infer/logit_changes.h"
#include "infer/sampling_options.h"

namespace fathom::infer {

// A token that may be drawn, with its probability.
struct Candidate {
  std::int32_t token;
  float logit;  // after the penalties and bias, before the temperature
  double probability;
};

class TokenSampler {
 public:
  // `masked_tokens` are never drawn: rows of the model for which the tokenizer has no
  // token. Each is an index into the logits.
  explicit TokenSampler(std::vector<std::int32_t> masked_tokens = {})
      : masked_tokens_(std::move(masked_tokens)) {}

  // The distribution that sample() draws from; probabilities add up to 1. Without filters
  // it has the order of the logits, else the likeliest token comes first, and of equally
  // likely ones the smaller id. `history`: prompt and generated tokens. Valid until the
  // next call.
  std::span<const Candidate> distribution(std::span<const float> logits,
                                          std::span<const std::int32_t> history,
                                          const SamplingOptions& options,
                                          const SequenceState& state = {});

  // The token for position `history.size()` of the sequence. Throws a run-time Error
  // when no token that may be drawn has a finite logit.
  std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> history,
                      const SamplingOptions& options, const SequenceState& state = {});

 private:
  // Copies the logits, applies the changes, and sets masked tokens to −infinity.
  void prepare(std::span<const float> logits, std::span<const std::int32_t> history,
               const SamplingOptions& options, const SequenceState& state);
  std::int32_t argmax() const;
  void keep_top_k(std::int64_t k);
  void keep_top_p(double p);
  void set_probabilities(double temperature);

  std::vector<std::int32_t> masked_tokens_;
  LogitChanges changes_;
  std::vector<float> logits_;  // after the changes
  std::vector<Candidate> candidates_;
};

}  // namespace fathom::infer
