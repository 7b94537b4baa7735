// The parts of a training run besides its plan: the seams where kinds of training differ.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/batch_source.h"
#include "learn/objective.h"
#include "train/benchmarks.h"
#include "train/repetition_meter.h"
#include "train/run_identity.h"
#include "train/text_samples.h"
#include "train/validator.h"

namespace fathom {

struct RunParts {
  std::shared_ptr<const BatchSource> source;
  std::unique_ptr<Objective> objective;
  std::unique_ptr<Validator> validator;         // null: nothing is held out
  std::unique_ptr<TextSamples> samples;         // null: none are written
  std::unique_ptr<RepetitionMeter> repetition;  // null: not measured
  std::unique_ptr<Benchmarks> benchmarks;       // null: none are asked
  RunIdentity identity;                         // of checkpoints that the run may go on from
  std::string reading;                          // what it will read, for people; empty: not told
  std::vector<std::string> warnings;            // before the first step
};

}  // namespace fathom
