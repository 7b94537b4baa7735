// The throw-away step before a run's first.
#pragma once

#include <vector>

#include "data/loader.h"
#include "learn/device_batch.h"
#include "learn/learner.h"
#include "learn/objective.h"

namespace fathom {

// Learner::warm_up() with what `loader` gives first, weighted as the objective's batches will be,
// in the memory of a step's batches.
void warm_up(Learner& learner, Loader& loader, const Objective& objective,
             std::vector<DeviceBatch>& batches);

}  // namespace fathom
