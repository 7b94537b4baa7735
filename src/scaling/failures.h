// What failures cost a long run: the work since the last complete checkpoint is done again, and the
// job has to start again.
#pragma once

#include <cstdint>

#include "scaling/laws.h"

namespace fathom::scaling {

struct FailureModel {
  double gpu_hours_between =
      50000;                      // mean time between failures of one GPU and its share of a node
  double restart_seconds = 600;   // from a failure to the next step
  double interval_seconds = 300;  // between checkpoints
  double write_seconds = 0;       // of a checkpoint beside the training: it counts afterwards
};

struct FailureCost {
  double failures = 0;     // of a run, mean
  double days = 0;         // of the run, mean
  Interval days_interval;  // the middle 95 % of the simulated runs
  double lost_share = 0;   // of the time, to failures, mean
};

// Of a run of `train_seconds` on `gpus`, simulated often with a generator of its own: the same
// every time. A failure comes at any moment alike, also during a restart. Throws an input Error for
// impossible numbers, and for a job that fails too often to finish.
FailureCost simulate_failures(const FailureModel& model, double train_seconds, int gpus);

}  // namespace fathom::scaling
