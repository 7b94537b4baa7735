// The files of a run's directory that are not records of its steps: its config and tokenizer at
// the start, and the model at the end.
#pragma once

#include "learn/learner.h"
#include "parallel/rank_groups.h"
#include "train/plan.h"
#include "train/run_tokenizer.h"

namespace fathom {

// Throws an input Error where no run has been in `output` and files have names that a run writes:
// they are somebody else's, as a config beside which a run is to be made. Before the run's lock.
void require_run_directory(const std::string& output);

// Writes config.toml and tokenizer.json. They say how to read the run's checkpoints, so a run
// that is refused must not come this far: call it once nothing can refuse the run any more.
void write_run_files(const TrainPlan& plan, const RunTokenizer& tokenizer);

// Writes the model's `directory`. Of several ranks none has the whole model: they read it from the
// checkpoint of step `steps`, which must be complete, and write its files beside each other.
// Collective.
void write_final_model(const TrainPlan& plan, const RunTokenizer& tokenizer,
                       const std::string& directory, Learner& learner, const RankGroups& ranks,
                       std::int64_t steps);

}  // namespace fathom
