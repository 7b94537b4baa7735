// Choosing the next token from the logits.
//
// The filters and their order are those of Hugging Face's transformers:
// repetition penalty, temperature, top-k, top-p, min-p. The random number is
// Philox at (seed, stream, position of the token), so that a sequence's tokens
// depend neither on what runs beside it nor on the number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace fathom::infer {

struct SamplingOptions {
  double temperature = 1.0;         // 0: the likeliest token
  std::int64_t top_k = 0;           // keep the k likeliest; 0: all
  double top_p = 1.0;               // keep the fewest whose probabilities reach p
  double min_p = 0.0;               // keep those with at least min_p times the likeliest's
  double repetition_penalty = 1.0;  // Keskar et al., CTRL (2019), section 4.1; 1: none
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  // tells apart the sequences of one seed
};

// Throws an input Error that names the option ("temperature is -1: ...").
void check(const SamplingOptions& options);

// A token that may be drawn, with its probability.
struct Candidate {
  std::int32_t token;
  float logit;  // after the penalty, before the temperature
  double probability;
};

class TokenSampler {
 public:
  // `masked_tokens` are never drawn, however likely: rows of the model that the
  // tokenizer has no token for. Each is inside every logits vector.
  explicit TokenSampler(std::vector<std::int32_t> masked_tokens = {})
      : masked_tokens_(std::move(masked_tokens)) {}

  // The distribution that sample() draws from: probabilities add up to 1. In
  // the order of the logits when nothing is filtered, else likeliest first, and
  // among equals the smaller id first. `history`: prompt and generated tokens.
  // Valid until the next call.
  std::span<const Candidate> distribution(std::span<const float> logits,
                                          std::span<const std::int32_t> history,
                                          const SamplingOptions& options);

  // The token for place `history.size()` of the sequence. Throws a run-time
  // Error when no logit that may be drawn is finite.
  std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> history,
                      const SamplingOptions& options);

 private:
  // Copies the logits, with penalties, and −infinity for masked tokens.
  void prepare(std::span<const float> logits, std::span<const std::int32_t> history,
               double penalty);
  std::int32_t argmax() const;
  void keep_top_k(std::int64_t k);
  void keep_top_p(double p);
  void set_probabilities(double temperature);

  std::vector<std::int32_t> masked_tokens_;
  std::vector<float> logits_;  // after the penalty
  std::vector<Candidate> candidates_;
};

}  // namespace fathom::infer
