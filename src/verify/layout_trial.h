// One trial of `fathom verify`: a few steps of a training run on one layout, from the start or
// from a checkpoint, and a record of its losses and samples.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "train/config.h"
#include "train/runtime.h"

namespace fathom {

struct LayoutTrial {
  TrainConfig config;           // on the layout; train.steps is the last step of all trials
  std::string resume = "none";  // or the path of a checkpoint
  int threads = 1;              // of each rank
  std::int64_t save_every = 1;  // steps
  std::string directory;        // of the run

  std::string checkpoint(std::int64_t step) const;
};

struct TrialRecord {
  std::vector<double> losses;  // a step
  // Checksums of the samples, a step, in their global order.
  std::vector<std::vector<std::uint64_t>> samples;
};

// Runs the trial as one rank of `world`. Every rank returns the same record. Throws a runtime Error
// when ranks that shall see the same samples do not, or a checkpoint cannot be saved.
TrialRecord run_trial(Runtime& runtime, const LayoutTrial& trial, Communicator& world);

}  // namespace fathom
