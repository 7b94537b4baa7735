// Learning rate and batch of a run by a law of its budget.
#pragma once

#include <cstdint>
#include <optional>

#include "scaling/laws.h"

namespace fathom::scaling {

struct Hyperparameters {
  double learning_rate = 0;  // peak
  double batch_tokens = 0;
  std::optional<Interval> learning_rate_interval, batch_interval;  // 95 %, where the law has draws

  // The batch in sequences of `sequence_length` tokens, 1 or more.
  std::int64_t batch_sequences(std::int64_t sequence_length) const;
};

// For a budget of `compute` FLOPs. Throws an input Error when the laws lack one of both, or the
// budget is not positive.
Hyperparameters hyperparameters(const Laws& laws, double compute);

// A batch near `sequences` that divides well into replicas and micro-batches: a multiple of the
// largest power of two that is at most a sixteenth of it, at most 3 % away. 2252 gives 2304, which
// is the 7B's batch in the report.
std::int64_t round_batch(std::int64_t sequences);

}  // namespace fathom::scaling
