// The files of a run's directory that are not records of its steps: its lock, config
// and tokenizer at the start, and the model at the end.
#pragma once

#include "data/prepared.h"
#include "io/atomic_file.h"
#include "learn/learner.h"
#include "parallel/rank_groups.h"
#include "train/plan.h"

namespace fathom {

// What the first rank does to the directory before any other touches it. Throws an
// input Error when another process holds the lock.
DirectoryLock prepare_directory(const TrainPlan& plan, const PreparedData& data);

// Writes `model/`. Of several ranks none has the whole model: it is read from the
// checkpoint of step `steps`, which must be complete.
void write_final_model(const TrainPlan& plan, const PreparedData& data, Learner& learner,
                       const RankGroups* ranks, std::int64_t steps);

}  // namespace fathom
