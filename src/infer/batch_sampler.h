// Draws the next tokens of a batch of sequences from their logits: the last part of an
// engine's step. It returns only tokens and the requested log-probabilities, so that the
// logits may stay where the model wrote them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "core/context.h"
#include "infer/sampler.h"

namespace fathom::infer {

struct TokenLogProbability {
  std::int32_t token;
  float log_probability;
};

struct DrawnToken {
  std::int32_t token = 0;
  // Under the model itself: before penalty, temperature and filters, and over all its
  // rows, as in the training loss. Present when the row asked for log-probabilities.
  std::optional<float> log_probability;
  // The likeliest tokens, likeliest first; among equals the smaller id first. Masked
  // tokens are left out.
  std::vector<TokenLogProbability> likeliest;
};

// A row of the logits and the sequence whose next token it gives.
struct SamplingRow {
  std::span<const std::int32_t> history;  // prompt and generated tokens
  const SamplingOptions* options;
  // Number of likeliest tokens to report beside the drawn one; nullopt: no
  // log-probabilities at all.
  std::optional<std::int64_t> log_probabilities;
};

class BatchSampler {
 public:
  // For at most max_rows sequences at once and logits over `vocabulary` rows of the
  // model. `masked_tokens`: as TokenSampler's.
  BatchSampler(Device device, std::int64_t max_rows, std::int64_t vocabulary,
               std::vector<std::int32_t> masked_tokens);

  // Waits for the context's stream, on which logits [rows, V] (f32, on the device) are
  // computed. Returns one token per row, valid until the next call. Throws a run-time Error
  // when a row has no finite logit.
  std::span<const DrawnToken> sample(Context& context, Tensor logits,
                                     std::span<const SamplingRow> rows);
  std::size_t host_bytes() const { return host_logits_.size() * sizeof(float); }

 private:
  void sample_row(TokenSampler& sampler, std::span<const float> logits, const SamplingRow& row,
                  DrawnToken& drawn) const;

  std::size_t vocabulary_;
  std::vector<std::int32_t> masked_tokens_;  // ascending
  std::vector<float> host_logits_;           // empty where the device is the host
  std::vector<TokenSampler> samplers_;       // one per thread
  std::vector<DrawnToken> drawn_;
};

// ln p of `token` under the softmax of the logits. Throws a run-time Error when the
// logits have no finite maximum.
float log_probability(std::span<const float> logits, std::int32_t token);
// The `count` likeliest tokens, or all when there are fewer, without `masked_tokens`
// (ascending).
std::vector<TokenLogProbability> likeliest_tokens(std::span<const float> logits, std::int64_t count,
                                                  std::span<const std::int32_t> masked_tokens);

}  // namespace fathom::infer
