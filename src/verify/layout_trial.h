// One trial of `fathom verify`: a few steps of a run on one layout, from the start or
// from a checkpoint, with the trainer's own parts and a record of what came of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "train/config.h"

namespace fathom {

struct LayoutTrial {
  TrainConfig config;       // on the layout; train.steps is the last step of all trials
  std::string resume_from;  // a checkpoint; empty: from the start
  std::int64_t last_step = 0;
  int threads = 1;                    // of each rank
  std::string directory;              // for checkpoints
  std::vector<std::int64_t> save_at;  // steps after which one is saved
};

struct TrialRecord {
  std::vector<double> losses;  // a step
  // Checksums of the samples, a step, in their global order.
  std::vector<std::vector<std::uint64_t>> samples;
};

// Runs the trial as one rank of `world`. Every rank returns the same record. Throws a runtime Error
// when ranks that shall see the same samples do not, or a checkpoint cannot be saved.
TrialRecord run_trial(const LayoutTrial& trial, Communicator& world);

}  // namespace fathom
