// How a request wants its tokens drawn.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fathom::infer {

// Added to a token's logit.
struct LogitBias {
  std::int32_t token;
  float bias;
};

// Of a request.
inline constexpr std::int64_t most_logit_biases = 1024, most_end_tokens = 256;

struct SamplingOptions {
  double temperature = 1.0;         // 0: the likeliest token
  std::int64_t top_k = 0;           // keep the k likeliest; 0: all
  double top_p = 1.0;               // keep the fewest whose probabilities reach p
  double min_p = 0.0;               // keep tokens at least min_p times as likely as the likeliest
  double repetition_penalty = 1.0;  // Keskar et al., CTRL (2019), section 4.1; 1: none
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;      // distinguishes sequences with the same seed
  double presence_penalty = 0;   // subtracted from the logits of tokens generated before
  double frequency_penalty = 0;  // the same, times how often they were
  std::vector<LogitBias> logit_bias;
};

// What the choice of a token depends on besides the tokens before it.
struct SequenceState {
  std::int64_t prompt_length = 0;        // of the history, the tokens not generated
  std::span<const std::int32_t> banned;  // tokens that may not come now
};

// Throws an input Error that names the option ("temperature is -1: ...").
void check(const SamplingOptions& options);

}  // namespace fathom::infer
