// How a plan's ranks make their learner and their loader.
#pragma once

#include "data/loader.h"
#include "learn/learner.h"
#include "train/plan.h"

namespace fathom {

LearnerOptions learner_options(const TrainPlan& plan, const RankGroups& ranks);

// Gives the samples of this rank's replica.
LoaderOptions loader_options(const TrainPlan& plan, const RankGroups& ranks);

}  // namespace fathom
