// The loop of `fathom train` on one rank: takes all memory, begins or resumes, and joins
// loader, learner, guard, checkpoints and reports step by step. trainer.h starts it.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/stop_signals.h"
#include "data/loader.h"
#include "train/evaluator.h"
#include "train/machine.h"
#include "train/plan.h"
#include "train/run_reports.h"
#include "train/run_state.h"
#include "train/run_trace.h"
#include "train/text_samples.h"
#include "train/trainer.h"

namespace fathom {

// One run, from its first step or a resumed one to its end.
class TrainingRun {
 public:
  // Of several ranks the first writes what people read. `ranks` outlives the run.
  TrainingRun(TrainPlan plan, std::shared_ptr<const PreparedData> data, Machine machine,
              const RankGroups& ranks);

  // To the plan's end (0) or a signal (its number); see train().
  int run(const TrainOptions& options, const StopSignals& signals);

 private:
  using Clock = std::chrono::steady_clock;

  // What all ranks have to do alike, as the first one sees it.
  struct Agreement {
    double elapsed = 0;
    int signal = 0;  // any rank's
    bool save = false;
  };

  void start(const TrainOptions& options);
  void restore(const Checkpoint& checkpoint);
  // Loads by `part`, Learner::load or load_weights, and tells how fast.
  void load(const Checkpoint& checkpoint, void (Learner::*part)(const Checkpoint&));
  void begin();
  Agreement agree(const StopSignals& signals);
  // A step that the device may still work on.
  struct QueuedStep {
    Clock::time_point begin;
    std::int64_t first_sample = 0;
    double learning_rate = 0;
    RunPosition after;
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
  void stop_for_signal();
  void finish_trace();
  void evaluate();
  void finish();
  bool first() const { return ranks_.first(); }
  Communicator& world() const { return ranks_.world(); }
  double elapsed() const;
  // Position of the steps queued so far, when so many seconds were trained.
  RunPosition at(double elapsed_seconds) const;
  RunPosition now() const { return at(elapsed()); }
  TrainingState state() const { return state_of(now(), guard_.state(), identity_, plan_); }
  std::string path(const char* name) const { return plan_.config.output + "/" + name; }

  TrainPlan plan_;
  Machine machine_;
  const RankGroups& ranks_;
  std::shared_ptr<const PreparedData> data_;
  std::shared_ptr<const Sampler> sampler_;
  RunIdentity identity_;
  Validation validation_;
  Evaluator evaluator_;
  TextSamples samples_;
  Learner learner_;
  SpikeGuard guard_;
  OwnedStream uploads_;
  std::vector<DeviceBatch> batches_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<CheckpointWriter> checkpoints_;
  std::unique_ptr<RunTrace> trace_;      // null: not asked for
  std::unique_ptr<RunReports> reports_;  // null but on the first rank

  RunPosition position_;  // of the steps queued so far; its seconds: those before start_
  std::deque<QueuedStep> queued_;
  Clock::time_point start_ = Clock::now(), reported_ = start_;
  std::int64_t evaluated_at_ = -1;
};

}  // namespace fathom
