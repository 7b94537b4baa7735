// How a run's rank takes its samples, and the throw-away step before its first.
#pragma once

#include <vector>

#include "data/loader.h"
#include "learn/device_batch.h"
#include "learn/learner.h"
#include "learn/objective.h"
#include "train/plan.h"

namespace fathom {

LoaderOptions loader_options(const TrainPlan& plan, const RankGroups& ranks);

// Learner::warm_up() with what `loader` gives first, weighted as the objective's batches will be,
// in the memory of a step's batches.
void warm_up(Learner& learner, Loader& loader, const Objective& objective,
             std::vector<DeviceBatch>& batches);

}  // namespace fathom
