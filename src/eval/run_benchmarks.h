// The benchmarks of training runs: tasks of `fathom eval`, asked of a run's own weights.
//
// On a rank that holds the whole model the generation engine answers, with memory that the run has
// planned and takes at its start: taking it between collectives may end in GPUs that wait for each
// other, or fail hours later; replicas share the questions. Where ranks share
// a model they answer together (eval/learner_model.h).
#pragma once

#include <functional>

#include "align/chat_template.h"
#include "train/benchmarks.h"

namespace fathom::eval {

struct RunChat {
  ChatTemplate chat;
  ChatOptions options;
};

// For TrainOptions::benchmarks. `chat` opens the template of a run that has one; empty: eval.chat is
// refused. Tasks that run programs are refused too: `fathom eval` asks them of a checkpoint.
MakeBenchmarks run_benchmarks(std::function<RunChat()> chat = {});

}  // namespace fathom::eval
