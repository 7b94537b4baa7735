#include "train/pretraining.h"

#include "data/sampler.h"
#include "train/branch.h"
#include "train/data_phases.h"
#include "train/evaluator.h"
#include "train/reading_plan.h"

namespace fathom {

RunParts pretraining(const TrainPlan& plan, const std::shared_ptr<const PreparedData>& data,
                     const RankGroups& ranks) {
  const TrainConfig& config = plan.config;
  const AttentionSpan span =
      config.data.attention_within_documents ? AttentionSpan::document : AttentionSpan::sequence;
  const std::int64_t length = config.train.sequence_length;
  RunParts parts;
  const auto sampler =
      std::make_shared<const Sampler>(data, length, static_cast<std::uint64_t>(config.seed), span,
                                      sampler_start(plan, *data), mix_phases(plan, *data));
  parts.source = sampler;
  parts.objective = std::make_unique<NextTokenPrediction>();
  Validation validation(data, length, config.train.micro_batch, config.data.validation_tokens,
                        span);
  if (validation.num_batches() > 0) {
    parts.validator = std::make_unique<Evaluator>(data, std::move(validation), ranks);
  }
  if (plan.sample_rows() > 0)
    parts.samples = std::make_unique<TextSamples>(plan, run_tokenizer(*data), ranks);
  parts.repetition = make_repetition_meter(plan, ranks, run_tokenizer(*data));
  parts.identity = identity_of(plan, *data, *sampler, *parts.objective);
  parts.warnings = check_repetition(plan, *data, *sampler);
  if (data->sources.size() > 1) parts.reading = reading_plan(plan, *data, *sampler);
  return parts;
}

}  // namespace fathom
