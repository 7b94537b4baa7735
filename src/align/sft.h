// `fathom sft`: supervised fine-tuning on conversations, in stages.
//
// A run owns one directory:
//   sft.toml              its config
//   stage-1/, stage-2/... a training run each (train/trainer.h), which begins with the weights that
//                         the one before ended with
//   model/                the last one's model as a Hugging Face directory
#pragma once

#include "align/sft_config.h"
#include "train/trainer.h"

namespace fathom {

// Trains the stages one after another, and returns 0; or until a signal, of which it returns the
// number. With options.run.resume of "auto" it goes on in the stage that was under way; "none"
// begins all stages again. Errors: those of train(), of the config and of the data, which is read
// whole before the first step. Any thread.
int sft(Runtime& runtime, const SftConfig& config, const TrainOptions& options);

}  // namespace fathom
