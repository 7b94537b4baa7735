// Everything a run writes for people: metrics.jsonl, samples.jsonl, answers.jsonl, TensorBoard's
// events, the progress line and report.html. Of several ranks only the first has one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/display.h"
#include "report/metrics.h"
#include "report/samples.h"
#include "report/tensorboard.h"
#include "train/checkpoint_choice.h"
#include "train/data_phases.h"
#include "train/loss_forecast.h"
#include "train/machine.h"
#include "train/plan.h"
#include "train/run_observer.h"

namespace fathom {

class RunReports {
 public:
  // `plan` and `machine` must outlive it. Records after the step of `from`, where the run goes
  // on, are cut off. `reading`: RunParts'.
  RunReports(const TrainPlan& plan, const Machine& machine, const RunPosition& from,
             std::string reading = {});

  void step(const StepRecord& step);
  void validation(const MetricsRecord& record);
  void samples(const SamplePoint& point);
  void repetition(std::int64_t step, const RepetitionResult& result);
  void benchmark(std::int64_t step, const BenchmarkScore& score);
  // To the disk; see StepLog::sync.
  void sync();
  // Logs which of the run's checkpoints pick_checkpoint() takes; nothing without a meter.
  void recommend_checkpoint() const;
  // Writes report.html.
  void write_page(const RunPosition& end, const std::string& config_toml) const;

 private:
  // Also tells of a phase of the data that has begun since the last step.
  void add_phase(MetricsRecord& record, const RunPosition& now) const;
  std::string path(const char* name) const { return plan_.config.output + "/" + name; }
  std::optional<MeasuredStep> picked_checkpoint() const;

  const TrainPlan& plan_;
  const Machine& machine_;
  std::string reading_;
  std::vector<PhaseBegin> phases_;  // of the data
  MetricsLog metrics_;
  SampleLog samples_;
  std::optional<SampleLog> answers_;  // where the repetition meter is on
  TensorBoardWriter tensorboard_;
  RunDisplay display_;
  std::optional<ForecastWatch> watch_;  // of a run by scaling laws
  RunPosition position_;                // after the last step
};

}  // namespace fathom
