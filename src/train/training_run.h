// The loop of a training run on one rank: takes all memory, begins or resumes, and joins
// loader, objective, learner, guard and checkpoints step by step. Which samples, which loss, what
// is validated and what is written besides checkpoints, it is given (RunParts, RunObserver).
// trainer.h starts it, and verify/layout_trial.h.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/loader.h"
#include "learn/device_batch.h"
#include "train/benchmark_rounds.h"
#include "train/plan.h"
#include "train/run_observer.h"
#include "train/run_parts.h"
#include "train/run_state.h"
#include "train/run_trace.h"
#include "train/runtime.h"

namespace fathom {

struct RunOptions {
  // "auto": from the newest complete checkpoint of the run directory, if there is
  // one; "none": from the start; otherwise a checkpoint's path.
  std::string resume = "auto";
  bool trace = false;  // some steps, into output/trace (train/run_trace.h)
};

// The guard has stopped the run, after a checkpoint of the state before: it would do so again.
class StoppedByGuard : public Error {
 public:
  explicit StoppedByGuard(const std::string& message) : Error(ErrorKind::runtime, message) {}
};

// One run, from its first step or a resumed one to its end.
class TrainingRun {
 public:
  // The run owns `parts`; everything else must outlive it. Collective.
  TrainingRun(Runtime& runtime, RunParts parts, const TrainPlan& plan, const RankGroups& ranks,
              RunObserver& observer);

  // To the plan's end (0) or a signal (its number); see train().
  int run(const RunOptions& options);

 private:
  using Clock = std::chrono::steady_clock;

  // Decisions that all ranks take alike, as the first one sees them.
  struct Agreement {
    double elapsed = 0;
    int signal = 0;  // any rank's
    bool save = false;
    bool keep = false;  // the checkpoint of this step, for good
  };

  void start(const RunOptions& options);
  void restore(const Checkpoint& checkpoint);
  // Goes on from another run's checkpoint.
  void branch_off(const Checkpoint& checkpoint);
  // Loads by `part`, Learner::load or load_weights, and tells how fast.
  void load(const Checkpoint& checkpoint, void (Learner::*part)(const Checkpoint&));
  void begin();
  void begin_with_directory(const std::string& directory);
  Agreement agree();
  // Whether a phase of the data begins with one of the samples [first, end).
  bool phase_begins_in(std::int64_t first, std::int64_t end) const;
  bool ends_data_phase(const RunPosition& before) const;  // since `before`
  // A step that the device may still work on.
  struct QueuedStep {
    Clock::time_point begin;
    std::int64_t first_sample = 0;
    double learning_rate = 0;
    RunPosition after;
    StepFigures figures;
  };
  struct Judged {
    Learner::Result result;
    bool skipped = false;
    std::string stop;  // why the run stops; empty: it goes on
  };
  void step(double elapsed_seconds);
  QueuedStep queue_step(double elapsed_seconds);
  void update(const QueuedStep& step);
  // Judges and reports queued steps until no more than `outstanding` are left.
  void settle_steps(std::size_t outstanding);
  Judged judge(const QueuedStep& step);
  void report(const QueuedStep& step, const Judged& judged);
  void save();  // while training goes on
  // At the end and on a signal: finishes the queued steps, then saves a checkpoint.
  SaveResult save_and_wait();
  // Saves, and returns the signal's number.
  int stop_for(int signal);
  void finish_trace();
  void evaluate();
  void measure_repetition();
  // False: a signal has stopped it. Its time is none of the run's: train.max_minutes limits training.
  bool ask_benchmarks();
  // False: a signal has stopped the run before its end.
  bool finish();
  EvaluateBatch evaluate_batch();
  EvaluateBatch unless_stopped(EvaluateBatch evaluate);
  bool first() const { return ranks_.first(); }
  Communicator& world() const { return ranks_.world(); }
  double elapsed() const;
  // Position of the steps queued so far, when so many seconds were trained.
  RunPosition at(double elapsed_seconds) const;
  RunPosition now() const { return at(elapsed()); }
  TrainingState state() const { return state_of(now(), guard_.state(), parts_.identity, plan_); }
  std::string path(const char* name) const { return plan_.config.output + "/" + name; }

  Runtime& runtime_;
  RunParts parts_;
  const TrainPlan& plan_;
  const RankGroups& ranks_;
  RunObserver& observer_;
  Learner learner_;
  SpikeGuard guard_;
  OwnedStream uploads_;
  std::vector<DeviceBatch> batches_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<CheckpointWriter> checkpoints_;
  BenchmarkRounds benchmarks_;
  std::unique_ptr<RunTrace> trace_;  // null: not asked for

  RunPosition position_;       // of the steps queued so far; its seconds: those before start_
  RunPosition agreed_;         // of the last agreement
  Keep keep_ = Keep::by_rule;  // of a checkpoint of position_
  std::deque<QueuedStep> queued_;
  // start_: later by the time of benchmarks.
  Clock::time_point start_ = Clock::now(), reported_ = start_;
  std::int64_t evaluated_at_ = -1, repetition_at_ = -1;  // steps
};

}  // namespace fathom
