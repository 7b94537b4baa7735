#include "align/sft_objective.h"

#include <algorithm>
#include <numeric>

#include "core/log.h"
#include "train/metric_names.h"

namespace fathom {

StepTerms SftObjective::prepare(std::span<Batch> batches) {
  StepTerms terms;
  terms.counts = count_tokens(batches);
  terms.normaliser = terms.counts->targets;
  return terms;
}

void SftValidator::run(const EvaluateBatch& evaluate, MetricsRecord& record) {
  const std::int64_t rows = source_->num_rows(), replicas = ranks_.plan().layout.dp;
  struct Sums {
    double nats = 0, targets = 0;
  } own, all;
  Batch batch;
  for (std::int64_t first = ranks_.place().dp * micro_batch_; first < rows;
       first += replicas * micro_batch_) {
    source_->fill(first, std::min(micro_batch_, rows - first), batch);
    const std::span<const float> losses = evaluate(batch);
    own.nats += std::accumulate(losses.begin(), losses.end(), 0.0);
    own.targets += static_cast<double>(batch.num_targets);
  }
  // All ranks of a replica have the same losses.
  for (const Sums& replica : gather_values(ranks_.data(), own)) {
    all.nats += replica.nats;
    all.targets += replica.targets;
  }
  const double loss = all.nats / all.targets;
  record.add(metric::validation_loss, loss);
  if (!ranks_.first()) return;
  log::info("step {}: loss {:.4f} on {} held-out conversations", record.step, loss,
            source_->examples().size());
}

}  // namespace fathom
