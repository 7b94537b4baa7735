// Where a run is, and its way into a checkpoint and back. Tensors are the learner's
// and the checkpoint writer's; this is everything besides them.
#pragma once

#include <cstdint>
#include <functional>
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

// Calls `use` with the checkpoint that `resume` names (RunOptions::resume); "auto": the newest
// undamaged one in `directory`. False when there is none. See use_newest_checkpoint(). Collective.
bool use_checkpoint(const std::string& directory, const std::string& resume,
                    const RankGroups& ranks, const std::function<void(const Checkpoint&)>& use);

}  // namespace fathom
