// Whole runs on all ranks: `fathom train`, and the code that other kinds of training share with it.
//
// A run owns one directory:
//   config.toml          the resolved config
//   tokenizer.json       of the data
//   metrics.jsonl        one object a step; tensorboard/ holds the same
//   samples.jsonl        texts that the model wrote at validation points
//   answers.jsonl        answers that the repetition meter read
//   checkpoints/         see checkpoint/checkpoint.h
//   model/               the finished model as a Hugging Face directory
//   report.html          curves and samples
#pragma once

#include <functional>
#include <memory>

#include "train/benchmarks.h"
#include "train/config.h"
#include "train/run_tokenizer.h"
#include "train/training_run.h"

namespace fathom {

struct TrainOptions {
  RunOptions run;
  // Told, on the first rank, of what the run's own outputs are told of; null: nobody. It outlives
  // the run.
  RunObserver* watcher = nullptr;
  // Makes what [eval] of the config asks for; empty: such a config is refused.
  MakeBenchmarks benchmarks = {};
  // What scaling laws predict for the run: for its page, and to warn by.
  std::optional<LossForecast> forecast = {};
  // Ranks as threads of this process; 1 under mpirun or srun, which say how many.
  int ranks = 1;
};

// What a kind of training gives a rank's run. The facts are known before the plan, which follows
// from them; then `parts` makes what the run needs (train/run_parts.h), collectively.
struct RunData {
  DataFacts facts;
  RunTokenizer tokenizer;
  std::string model_directory;  // where the finished model goes; empty: model/ of the run
  std::function<RunParts(const TrainPlan& plan, const RankGroups& ranks)> parts;
};
using OpenRunData = std::function<RunData(const TrainConfig& config, Communicator& world)>;

// One rank's run: returns and throws as train(). A rank may make several, one after another.
// Collective.
int train_rank(Runtime& runtime, TrainConfig config, const TrainOptions& options,
               const OpenRunData& open, Communicator& world);

// Calls `work` on each of the ranks that the options ask for, and returns the first one's result.
int on_all_ranks(const ParallelConfig& config, const TrainOptions& options,
                 const std::function<int(Communicator& world)>& work);

// Pre-trains until the plan's end, writes the model and its report, and returns 0; or
// until SIGINT, SIGTERM or SIGHUP, saves a checkpoint to resume from, and returns the
// signal's number. Throws an input Error before any work for a config, data or
// checkpoint that cannot be used, and a run-time Error when the guard stops the run, of a single
// rank StoppedByGuard. Any thread; several runs may go on side by side, each with an output of its
// own.
int train(Runtime& runtime, const TrainConfig& config, const TrainOptions& options);
// The same on data of config.data that is open already, which any number of runs may share.
int train(Runtime& runtime, const TrainConfig& config, const TrainOptions& options,
          const std::shared_ptr<const PreparedData>& data);

}  // namespace fathom
