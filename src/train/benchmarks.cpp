#include "train/benchmarks.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace fathom {

bool ranks_share_model(const TrainPlan& plan) {
  const RankLayout& layout = plan.parallel.layout;
  return layout.tp > 1 || layout.pp > 1;
}

infer::EngineOptions benchmark_engine(const TrainPlan& plan) {
  const EvalConfig& config = plan.config.eval;
  infer::EngineOptions options;
  options.limits.max_sequences = config.batch;
  options.max_length = plan.config.train.sequence_length;
  const std::int64_t pages = (options.max_length + options.page_size - 1) / options.page_size;
  const std::size_t one_sequence =
      static_cast<std::size_t>(pages) *
      infer::KvCache::page_bytes(plan.config.model, plan.dtype, options.page_size);
  constexpr double gib = 1 << 30, most = 1e18;
  options.cache_bytes = static_cast<std::size_t>(std::min(most, config.cache_gib * gib));
  if (options.cache_bytes < one_sequence) {
    fail_input("eval.cache_gib is {}: a sequence of train.sequence_length = {} needs {:.3g}; use that or more",
               config.cache_gib, options.max_length, std::ceil(static_cast<double>(one_sequence) / gib * 1000) / 1000);
  }
  return options;
}

infer::Engine::Bytes benchmark_bytes(const TrainPlan& plan) {
  if (!plan.config.eval.enabled() || ranks_share_model(plan)) return {};
  return infer::Engine::planned_bytes(plan.config.model, plan.dtype, plan.device,
                                      benchmark_engine(plan));
}

std::int64_t benchmark_logit_rows(const TrainPlan& plan) {
  const EvalConfig& config = plan.config.eval;
  return config.enabled() && ranks_share_model(plan) ? config.batch : 0;
}

}  // namespace fathom
