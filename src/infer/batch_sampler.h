// Draws the next tokens of a batch of sequences from their logits: the last part of an engine's
// step. It happens where the logits are; only tokens and the requested log-probabilities come to
// the host.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "core/context.h"
#include "core/stream.h"
#include "infer/logit_changes.h"
#include "infer/sampling_options.h"
#include "ops/sampling.h"

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
  SequenceState state = {};
  // The token that comes next, which is reported in place of a drawn one.
  std::optional<std::int32_t> given = {};
};

struct SamplerLimits {
  std::int64_t rows = 0;        // drawn at once
  std::int64_t vocabulary = 0;  // rows of the model
  std::int64_t length = 0;      // of a sequence
  std::int64_t reported = 0;    // likeliest tokens of a row
};

class BatchSampler {
 public:
  // `masked_tokens`: as TokenSampler's.
  BatchSampler(Device device, const SamplerLimits& limits,
               std::vector<std::int32_t> masked_tokens);

  // Draws from the first rows of logits [n, V] (f32, on the device, and changed), which are
  // computed on the context's stream, and waits for it. Returns one token per row, valid until the
  // next call. Throws a run-time Error when a row has no finite logit.
  std::span<const DrawnToken> sample(Context& context, Tensor logits,
                                     std::span<const SamplingRow> rows);

  // Memory of the sampler, also before any is taken.
  struct Bytes {
    std::size_t device = 0, host = 0;
  };
  static Bytes bytes_for(const SamplerLimits& limits);
  std::size_t device_bytes() const { return memory_.bytes(); }
  std::size_t host_bytes() const { return sent_.bytes() + received_.bytes(); }

 private:
  void write_row(const SamplingRow& row, ops::DrawRow& to);
  std::int64_t write_rows(std::span<const SamplingRow> rows);
  void read_row(std::size_t row, std::int64_t most, const SamplingRow& asked);

  SamplerLimits limits_;
  std::int64_t num_masked_;
  Buffer memory_;        // rows, changes, results, masked tokens
  HostBuffer sent_;      // rows and changes
  HostBuffer received_;  // results
  LogitChanges changes_;
  std::int64_t num_changes_ = 0;
  std::vector<DrawnToken> drawn_;
};

}  // namespace fathom::infer
