// Everything a run writes for people: metrics.jsonl, samples.jsonl, TensorBoard's events, the
// progress line and report.html. Of several ranks only the first has one.
#pragma once

#include <cstdint>
#include <string>

#include "learn/learner.h"
#include "report/display.h"
#include "report/metrics.h"
#include "report/samples.h"
#include "report/tensorboard.h"
#include "train/evaluator.h"
#include "train/machine.h"
#include "train/plan.h"
#include "train/run_state.h"

namespace fathom {

// How a step went, besides what the learner says.
struct StepFacts {
  double learning_rate = 0;
  double seconds = 0;
  bool skipped = false;
};

class RunReports {
 public:
  // `plan` and `machine` must outlive it. Records after the step of `from`, where the run goes
  // on, are cut off.
  RunReports(const TrainPlan& plan, const Machine& machine, const RunPosition& from);

  // After each step; `now` is where the run then is.
  void step(const RunPosition& now, const Learner::Result& result, const StepFacts& facts);
  // `record` holds the sources' own figures.
  void validation(const MetricsRecord& record, const Evaluator::Score& score);
  void samples(const SamplePoint& point);
  // To the disk; see StepLog::sync.
  void sync();
  // Writes report.html.
  void write_page(const RunPosition& end, const std::string& config_toml) const;

 private:
  std::string path(const char* name) const { return plan_.config.output + "/" + name; }

  const TrainPlan& plan_;
  const Machine& machine_;
  MetricsLog metrics_;
  SampleLog samples_;
  TensorBoardWriter tensorboard_;
  RunDisplay display_;
};

}  // namespace fathom
