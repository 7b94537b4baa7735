#include "train/rank_options.h"

#include <algorithm>

#include "train/benchmarks.h"
#include "train/repetition_meter.h"

namespace fathom {

LearnerOptions learner_options(const TrainPlan& plan, const RankGroups& ranks) {
  LearnerOptions options(ranks);
  options.model = plan.config.model;
  options.dtype = plan.dtype;
  options.products = plan.config.precision;
  options.device = plan.device;
  options.stage = plan.stage_options();
  options.optimizer = plan.config.optimizer;
  options.micro_tokens = plan.micro_tokens;
  options.tokens_per_step = plan.micro_batches * plan.micro_tokens;
  options.sequence_length = plan.config.train.sequence_length;
  options.uniform_segments = plan.uniform_segments;
  options.logit_rows = std::max(
      {plan.sample_rows(), RepetitionMeter::logit_rows(plan), benchmark_logit_rows(plan)});
  options.determinism =
      plan.config.deterministic ? Determinism::reproducible : Determinism::fastest;
  return options;
}

LoaderOptions loader_options(const TrainPlan& plan, const RankGroups& ranks) {
  return {plan.config.train.micro_batch, ranks.place().dp, plan.parallel.layout.dp,
          plan.config.data.prefetch};
}

}  // namespace fathom
