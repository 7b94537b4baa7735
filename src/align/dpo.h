// `fathom dpo`: preference training from pairs of answers.
//
// A run owns one directory: dpo.toml, its config; reference.safetensors, the log-probabilities
// that the model gave the pairs before the first step; and all that a training run has
// (train/trainer.h).
#pragma once

#include "align/dpo_config.h"
#include "train/trainer.h"

namespace fathom {

// Trains until the plan's end and returns 0, or until a signal and returns its number. Errors:
// those of train(), of the config, the data, which is read whole before the first step, and of a
// reference file that belongs to another model or other pairs. Any thread.
int dpo(Runtime& runtime, const DpoConfig& config, const TrainOptions& options);

}  // namespace fathom
