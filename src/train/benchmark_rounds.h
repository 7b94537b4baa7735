// When a training run asks its benchmarks, and which of them have a score already: those in
// metrics.jsonl. So a run that was stopped within a round asks the rest of it when it goes on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/benchmarks.h"
#include "train/run_observer.h"

namespace fathom {

class BenchmarkRounds {
 public:
  // Without benchmarks no step is due.
  BenchmarkRounds(std::unique_ptr<Benchmarks> benchmarks, const EvalConfig& config)
      : benchmarks_(std::move(benchmarks)), config_(config) {}

  void start(Learner& learner, DeviceBatch& memory) {
    if (benchmarks_) benchmarks_->start(learner, memory);
  }
  // The run goes on from `step`, with these records; the first rank reads them. Warns of steps in the
  // config that are beyond `last`; 0: that is not known. Collective.
  void resume(std::int64_t step, const std::string& metrics_path, const RankGroups& ranks,
              std::int64_t last);
  // Whether the config names the step. The end is a round too, which the run knows.
  bool due(std::int64_t step) const;
  // Asks the tasks that have no score of this step yet, one after another. False: a signal has
  // stopped it, and the scores that it had found are recorded. Collective.
  bool run(std::int64_t step, Learner& learner, DeviceBatch& memory,
           const std::function<bool()>& stopped, RunObserver& observer);

 private:
  std::unique_ptr<Benchmarks> benchmarks_;
  EvalConfig config_;
  std::int64_t step_ = -1;
  std::vector<char> scored_;  // of each task, whether it has a score of step_
};

}  // namespace fathom
