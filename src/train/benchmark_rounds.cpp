#include "train/benchmark_rounds.h"

#include <algorithm>

#include "core/log.h"
#include "report/metrics.h"
#include "train/metric_names.h"

namespace fathom {
namespace {

bool has_score(const std::vector<MetricsRecord>& records, std::int64_t step,
               const std::string& task) {
  const std::string prefix = metric::of_benchmark(task, "");
  return std::ranges::any_of(records, [&](const MetricsRecord& record) {
    return record.step == step && std::ranges::any_of(record.values, [&](const auto& value) {
             return value.first.starts_with(prefix);
           });
  });
}

}  // namespace

void BenchmarkRounds::resume(std::int64_t step, const std::string& metrics_path,
                             const RankGroups& ranks, std::int64_t last) {
  if (!benchmarks_) return;
  std::string scored;
  if (ranks.first()) {
    for (const std::int64_t asked : config_.steps) {
      if (last == 0 || asked <= last) continue;
      log::warning("eval.steps holds {}, and the run ends at step {}", asked, last);
    }
    const std::vector<MetricsRecord> records = read_metrics(metrics_path);
    for (const std::string& task : benchmarks_->tasks()) {
      scored += has_score(records, step, task) ? '\1' : '\0';
    }
  }
  wait_for_disks(ranks.world());
  const std::string first = gather_texts(ranks.world(), scored).front();
  step_ = step;
  scored_.assign(first.begin(), first.end());
}

bool BenchmarkRounds::due(std::int64_t step) const {
  if (!benchmarks_) return false;
  return (step > 0 && config_.every_steps > 0 && step % config_.every_steps == 0) ||
         std::ranges::find(config_.steps, step) != config_.steps.end();
}

bool BenchmarkRounds::run(std::int64_t step, Learner& learner, DeviceBatch& memory,
                          const std::function<bool()>& stopped, RunObserver& observer) {
  if (!benchmarks_) return true;
  if (step != step_) {
    step_ = step;
    scored_.assign(benchmarks_->tasks().size(), 0);
  }
  for (std::size_t task = 0; task < scored_.size(); ++task) {
    if (scored_[task]) continue;
    const std::optional<BenchmarkScore> score = benchmarks_->ask(task, learner, memory, stopped);
    if (!score) return false;
    scored_[task] = 1;
    observer.benchmark(step, *score);
  }
  return true;
}

}  // namespace fathom
