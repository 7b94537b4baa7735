// Where in a run's samples the phases of its data begin ([[data.phases]]).
#pragma once

#include <cstdint>
#include <vector>

#include "data/mix_phases.h"
#include "train/plan.h"

namespace fathom {

struct PhaseBegin {
  std::int64_t first_sample = 0;
  std::int64_t step = 0;    // steps done before it, where the config counts in steps; else 0
  std::int64_t tokens = 0;  // seen before it, where the config counts in tokens; else 0
};

// Of each phase of the config. Pure: a place in tokens does not depend on the size of the steps;
// one in steps lies where the steps lead that were taken and, from plan.origin on, those of this
// plan. What lies before plan.branch begins there. Throws an input Error that names the phase when
// its place cannot be told, or is not behind the one before, or not before the run's end.
std::vector<PhaseBegin> phase_begins(const TrainPlan& plan);

// The same with the weights of the data's sources, for its Sampler.
std::vector<MixPhase> mix_phases(const TrainPlan& plan, const PreparedData& data);

// The phases of the config that its train.steps, its only limit, come to: without those behind
// their end, and those that would begin in so few steps where the one before does. Throws an input
// Error that names a phase whose place cannot be told.
std::vector<MixPhaseConfig> reached_phases(const TrainConfig& config);

// Samples before the end of the run, those of runs that it continues included; of one that is
// beyond its end those before plan.origin. 0 when only time limits it.
std::int64_t end_sample(const TrainPlan& plan);

// Tokens that are seen before a sample from plan.branch on.
std::int64_t tokens_before(const TrainPlan& plan, std::int64_t sample);

}  // namespace fathom
