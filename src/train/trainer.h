// `fathom train`: pre-training of a config, on all ranks, as one run.
//
// A run owns one directory:
//   config.toml          the resolved config
//   tokenizer.json       of the data
//   metrics.jsonl        one object a step; tensorboard/ holds the same
//   samples.jsonl        texts that the model wrote at validation points
//   checkpoints/         see checkpoint/checkpoint.h
//   model/               the finished model as a Hugging Face directory
//   report.html          curves and samples
#pragma once

#include "train/config.h"
#include "train/training_run.h"

namespace fathom {

struct TrainOptions {
  RunOptions run;
  // Ranks as threads of this process; 1 under mpirun or srun, which say how many.
  int ranks = 1;
};

// Trains until the plan's end, writes the model and its report, and returns 0; or
// until SIGINT, SIGTERM or SIGHUP, saves a checkpoint to resume from, and returns the
// signal's number. Throws an input Error before any work for a config, data or
// checkpoint that cannot be used, and a run-time Error when the guard stops the run
// (after a checkpoint of the state before). Any thread; several runs may go on side by side, each
// with an output of its own.
int train(Runtime& runtime, const TrainConfig& config, const TrainOptions& options);

}  // namespace fathom
