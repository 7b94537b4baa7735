// The throw-away step before a run's first.
#pragma once

#include <vector>

#include "data/loader.h"
#include "learn/device_batch.h"
#include "learn/learner.h"
#include "learn/objective.h"

namespace fathom {

// Learner::warm_up() with what a loader gives from `first_sample` on, and with a batch of every
// other length that the source may give, weighted as the objective's batches will be; in the memory
// of a step's batches.
void warm_up(Learner& learner, const std::shared_ptr<const BatchSource>& source,
             const LoaderOptions& options, std::int64_t first_sample, const Objective& objective,
             std::vector<DeviceBatch>& batches);

// `sequences` rows of `length` tokens, each a segment, all of them targets.
Batch filled_batch(std::int64_t sequences, std::int64_t length);

}  // namespace fathom
