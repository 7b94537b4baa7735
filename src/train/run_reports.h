// Everything a run writes for people: metrics.jsonl, samples.jsonl, TensorBoard's events, the
// progress line and report.html. Of several ranks only the first has one.
#pragma once

#include <cstdint>
#include <string>

#include "report/display.h"
#include "report/metrics.h"
#include "report/samples.h"
#include "report/tensorboard.h"
#include "train/machine.h"
#include "train/plan.h"
#include "train/run_observer.h"

namespace fathom {

class RunReports {
 public:
  // `plan` and `machine` must outlive it. Records after the step of `from`, where the run goes
  // on, are cut off.
  RunReports(const TrainPlan& plan, const Machine& machine, const RunPosition& from);

  void step(const StepRecord& step);
  void validation(const MetricsRecord& record);
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
