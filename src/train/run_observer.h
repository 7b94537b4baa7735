// RunObserver: told of each step of a training run, on every rank. `fathom train` has one
// that writes records and model (train/run_outputs.h), `fathom verify` one that notes losses and
// samples.
#pragma once

#include <span>
#include <string>

#include "checkpoint/writer.h"
#include "learn/learner.h"
#include "learn/objective.h"
#include "report/metrics.h"
#include "report/samples.h"
#include "train/benchmarks.h"
#include "train/plan.h"
#include "train/repetition_meter.h"

namespace fathom {

struct StepRecord {
  RunPosition after;
  Learner::Result result;
  double learning_rate = 0;
  double seconds = 0;
  bool skipped = false;  // the guard held the update back
  StepFigures figures;   // of the objective's own
};

struct RunEnd {
  RunPosition position;
  SaveResult saved;  // the last checkpoint; not committed where none is kept
  std::string config_toml;
  Learner& learner;
};

class RunObserver {
 public:
  virtual ~RunObserver() = default;

  // The run goes on from there. Nothing can refuse it any more.
  virtual void begin(const RunPosition&) {}
  // This rank's micro-batches of the step that is queued next.
  virtual void batches(std::span<const Batch>) {}
  // After each step, in their order; a device may be at work on the next one already.
  virtual void step(const StepRecord&) {}
  virtual void validation(const MetricsRecord&) {}
  virtual void samples(const SamplePoint&) {}
  virtual void repetition(std::int64_t /*step*/, const RepetitionResult&) {}
  virtual void benchmark(std::int64_t /*step*/, const BenchmarkScore&) {}
  // A checkpoint is about to be saved: the records up to its step must be on the disk.
  virtual void sync() {}
  // A save before the last one has ended; a failed one was logged as a warning.
  virtual void saved(const SaveResult&) {}
  // The plan's end, not a signal's. Collective.
  virtual void end(const RunEnd&) {}
};

}  // namespace fathom
