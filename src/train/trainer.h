// `fathom train`: joins data, learner, checkpoints and metrics into a run.
//
// A run owns one directory:
//   config.toml          the resolved config
//   tokenizer.json       of the data
//   metrics.jsonl        one object a step; tensorboard/ holds the same
//   checkpoints/         see train/checkpoint.h
//   model/               the finished model as a Hugging Face directory
//   report.html          curves
#pragma once

#include <string>

#include "train/config.h"

namespace fathom {

struct TrainOptions {
  // "auto": from the newest complete checkpoint of the run directory, if there is
  // one; "none": from the start; otherwise a checkpoint's path.
  std::string resume = "auto";
  // Ranks as threads of this process; 1 under mpirun or srun, which say how many.
  int ranks = 1;
  // FLOP/s of this machine's matrix products on one rank; 0: measured, for a third of a second.
  double gemm_peak = 0;
  bool trace = false;  // some steps, into output/trace (train/run_trace.h)
};

// Trains until the plan's end, writes the model and its report, and returns 0; or
// until SIGINT, SIGTERM or SIGHUP, saves a checkpoint to resume from, and returns the
// signal's number. Throws an input Error before any work for a config, data or
// checkpoint that cannot be used, and a run-time Error when the guard stops the run
// (after a checkpoint of the state before).
int train(const TrainConfig& config, const TrainOptions& options);

}  // namespace fathom
