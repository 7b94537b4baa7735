// Where a run is, and its way into a checkpoint and back. Tensors are the learner's
// and the checkpoint writer's; this is everything besides them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "checkpoint/checkpoint.h"
#include "learn/guard.h"
#include "parallel/rank_groups.h"
#include "train/plan.h"
#include "train/run_identity.h"

namespace fathom {

TrainingState state_of(const RunPosition& position, const SpikeGuard::State& guard,
                       const RunIdentity& run, const TrainPlan& plan);

// The way back from state_of, for a checkpoint that require_same_run() let pass.
RunPosition position_in(const TrainingState& state);
SpikeGuard::State guard_in(const TrainingState& state);

// The checkpoint that `resume` names (TrainOptions::resume), if any. Of several ranks
// the first looks and verifies; the others open what it found.
std::optional<Checkpoint> find_checkpoint(const std::string& directory, const std::string& resume,
                                          const RankGroups* ranks);

}  // namespace fathom
