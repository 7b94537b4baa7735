#include "scaling/block_times.h"

#include <algorithm>

#include "scaling/rank_clock.h"

namespace fathom::scaling {
namespace {

double seconds_of(const StepEvents& events) {
  RankClock clock;
  clock.run(events);
  return clock.now();
}

}  // namespace

BlockEstimates::BlockEstimates(const PlannedRun& run, const Cluster& cluster,
                               const OperationTime& time)
    : run_(run), cluster_(cluster), time_(time) {}

// Three stages of one block each, of which the first has the embedding and the last the head.
const BlockTimes& BlockEstimates::times_of(const LayoutOptions& options) {
  const ParallelConfig& p = options.parallel;
  const Key key{p.tp, p.sequence_parallel, p.sequence_pieces, options.micro_batch,
                options.recompute};
  const auto found = times_.find(key);
  if (found != times_.end()) return found->second;
  PlannedRun three = run_;
  three.model.num_layers = 3;
  three.global_batch = 3 * options.micro_batch;
  LayoutOptions alone = options;
  alone.parallel.pp = 3;
  alone.parallel.dp = 1;
  alone.parallel.virtual_stages = 1;
  alone.parallel.schedule = PipelineSchedule::one_f_one_b;
  alone.parallel.stage_layers = {1, 1, 1};
  const TrainPlan plan = plan_layout(three, alone, static_cast<int>(3 * p.tp));
  const auto stage = [&](int number) {
    const RankStep step = record_step(plan, number, cluster_, time_);
    return seconds_of(step.parts.front().forward) + seconds_of(step.parts.front().backward);
  };
  const double block = stage(1);
  return times_[key] = {block, stage(0) - block, stage(2) - block};
}

// The norm reads all gradients, AdamW reads and writes 28 bytes for each parameter of the rank's
// share.
double BlockEstimates::update_seconds(const LayoutOptions& options) const {
  const ParallelConfig& p = options.parallel;
  const double own = static_cast<double>(count_parameters(run_.model)) /
                     static_cast<double>(p.pp * p.tp * (p.zero ? p.dp : 1));
  return time_.seconds_moving(own * (28 + 4));
}

double BlockEstimates::step_seconds(const LayoutOptions& options) {
  const ParallelConfig& p = options.parallel;
  const BlockTimes& times = times_of(options);
  const std::int64_t parts = p.pp * p.virtual_stages;
  const std::vector<StageRange> ranges =
      balance_stages(run_.model.num_layers, parts, times.head / times.block);
  std::vector<double> stages(static_cast<std::size_t>(p.pp));
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const auto layers = static_cast<double>(ranges[i].last_layer - ranges[i].first_layer);
    stages[i % stages.size()] += layers * times.block;
  }
  stages.front() += times.embedding;
  stages.back() += times.head;
  double sum = 0;
  for (const double seconds : stages) sum += seconds;
  const double slowest = *std::ranges::max_element(stages);
  const auto micro_batches = static_cast<double>(run_.global_batch / options.micro_batch / p.dp);
  const double filling = (sum - slowest) / static_cast<double>(p.virtual_stages);
  return micro_batches * slowest + filling + update_seconds(options);
}

}  // namespace fathom::scaling
