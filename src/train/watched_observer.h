// An observer with somebody watching: both are told of each step, the watcher last.
#pragma once

#include "train/run_observer.h"

namespace fathom {

class WatchedObserver final : public RunObserver {
 public:
  // Both outlive it.
  WatchedObserver(RunObserver& observer, RunObserver& watcher)
      : observer_(observer), watcher_(watcher) {}

  void begin(const RunPosition& from) override { tell(&RunObserver::begin, from); }
  void batches(std::span<const Batch> batches) override { tell(&RunObserver::batches, batches); }
  void step(const StepRecord& step) override { tell(&RunObserver::step, step); }
  void validation(const MetricsRecord& record) override { tell(&RunObserver::validation, record); }
  void samples(const SamplePoint& point) override { tell(&RunObserver::samples, point); }
  void repetition(std::int64_t step, const RepetitionResult& result) override {
    tell(&RunObserver::repetition, step, result);
  }
  void benchmark(std::int64_t step, const BenchmarkScore& score) override {
    tell(&RunObserver::benchmark, step, score);
  }
  void sync() override { tell(&RunObserver::sync); }
  void saved(const SaveResult& result) override { tell(&RunObserver::saved, result); }
  void end(const RunEnd& end) override { tell(&RunObserver::end, end); }

 private:
  template <class... Parameters, class... Arguments>
  void tell(void (RunObserver::*event)(Parameters...), const Arguments&... arguments) {
    (observer_.*event)(arguments...);
    (watcher_.*event)(arguments...);
  }

  RunObserver& observer_;
  RunObserver& watcher_;
};

}  // namespace fathom
