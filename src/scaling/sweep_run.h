// `fathom scaling run`: trains what is missing of a sweep, many runs side by side.
//
// Each run is the one that `fathom train` would make of its config (train/trainer.h), on a thread
// of its own with one rank; all share the process's Runtime and the data. Its bits do not depend on
// what runs beside it, nor on where it was killed before, so neither do the results.
#pragma once

#include <cstddef>
#include <string>

#include "scaling/sweep_plan.h"
#include "train/runtime.h"

namespace fathom::scaling {

struct SweepOptions {
  int jobs = 0;             // runs at a time; 0: chosen (usual_jobs())
  int part = 1, parts = 1;  // of the sweep: 1 to parts; the others are another process's
};

struct SweepEnd {
  int signal = 0;          // that stopped it; 0: no signal
  std::size_t failed = 0;  // runs to be tried again
};

// Runs at a time that make full use of this machine: on a CPU one for each `threads` cores; on
// GPUs as many as half of the memory holds, and at most 8 on each.
int usual_jobs(const TrainConfig& largest, const DataFacts& data);

// GPUs that the runs of a device take turns on: all of this machine for "cuda"; 1 otherwise.
int sweep_devices(const std::string& device);

// Trains the runs of the sweep in `dir` that have no result, and keeps results.jsonl up to date.
// Returns when all have one or have failed, or after SIGINT, SIGTERM or SIGHUP, when each has saved
// a checkpoint that the next call goes on from. Throws an input Error for a directory without a
// sweep, for configs that were edited, and when the same part is run elsewhere.
SweepEnd run_sweep(Runtime& runtime, const std::string& dir, const SweepOptions& options);

}  // namespace fathom::scaling
