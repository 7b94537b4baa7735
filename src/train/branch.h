// Continuing another run (`continue_from`) in a directory of its own: with the weights, moments,
// steps and tokens of one of its checkpoints, and without reading again what was read. The data
// and their weights, the schedule, the batch and the limits may be others; model, tokenizer and
// seed may not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/ranks.h"
#include "data/sampler.h"
#include "learn/guard.h"
#include "train/plan.h"
#include "train/run_identity.h"

namespace fathom {

// Where the run that these begin or resume (RunOptions::resume) goes on.
struct RunBeginning {
  // Where it has branched from another one: the branch in the checkpoint that it resumes, else the
  // checkpoint that config.continue_from names. None for a run that continues no other.
  std::optional<BranchState> branch;
  RunOrigin origin;
};
// The directory of the branch replaces the name in config.continue_from. Throws an input Error when
// that checkpoint cannot be continued, or when the resumed one is of a run that continues no other,
// though the config has continue_from. Collective.
RunBeginning find_beginning(TrainConfig& config, const std::string& resume, Communicator& world);

// What was read of each text until this state, by its run and those that it continues. The state
// lists its sources.
std::vector<SourceReading> readings_until(const TrainingState& state);

// Where the run's sampler begins: each source after what was read of the same text under the same
// name.
SamplerStart sampler_start(const TrainPlan& plan, const PreparedData& data);

// Throws an input Error that names the checkpoint of plan.branch, the first obstacle, and what to
// do, when a run with this identity cannot go on from it, or what is left to read of a source
// cannot be told.
void require_continuable(const Checkpoint& checkpoint, const RunIdentity& run,
                         const TrainPlan& plan);

// The guard of a run that continues this state: the same as there when it goes on with the same
// samples. The losses of others say nothing about its own: it learns them anew.
SpikeGuard::State guard_after(const TrainingState& state, const RunIdentity& run);

// Tells where the run goes on and what was read, and warns of a learning rate that rises again.
void log_branch(const TrainingState& state, const RunIdentity& run, const TrainPlan& plan);

}  // namespace fathom
