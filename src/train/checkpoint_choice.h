// Which checkpoint of a run to use: the loss alone would take one that repeats itself.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "report/metrics.h"

namespace fathom {

// A step where both were measured.
struct MeasuredStep {
  std::int64_t step = 0;
  double validation_loss = 0;
  double repetition = 0;  // share of answers that never end and repeat
  bool operator==(const MeasuredStep&) const = default;
};

// Those of the records whose step is among `steps` (ascending), such as a run's checkpoints; in
// ascending order, each step once with its last figures. A figure that is not a number is none.
std::vector<MeasuredStep> measured_steps(std::span<const MetricsRecord> records,
                                         std::span<const std::int64_t> steps);

// The step with the lowest validation loss among those whose repetition is at most `limit`; where
// none is, the one with the lowest repetition. Of equals the lower loss, then the later step wins.
std::optional<MeasuredStep> pick_checkpoint(std::span<const MeasuredStep> steps, double limit);

}  // namespace fathom
