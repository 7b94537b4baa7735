#include "align/preference_validator.h"

#include "core/log.h"
#include "train/metric_names.h"

namespace fathom {

void PreferenceValidator::run(const EvaluateBatch& evaluate, MetricsRecord& record) {
  const std::vector<PairLogProbs> policy =
      evaluate_pairs(*source_, {micro_batch_, ""}, evaluate, ranks_.data());
  PreferenceSums sums;
  for (const PlacedPair& pair : source_->placed(0, source_->rows())) {
    const auto i = static_cast<std::size_t>(pair.pair);
    sums.add(config_, pair, policy[i], reference_ ? reference_->of(1)[i] : PairLogProbs{});
  }
  const double nll = -sums.log_prob_chosen / sums.chosen_tokens;
  const double loss = sums.loss / sums.pairs + config_.nll * nll;
  record.add(metric::validation_loss, loss);
  const auto add_mean = [&](const char* name, double sum) { record.add(name, sum / sums.pairs); };
  add_mean("validation_rewards/chosen", sums.reward_chosen);
  add_mean("validation_rewards/rejected", sums.reward_rejected);
  add_mean("validation_rewards/accuracies", sums.preferred);
  add_mean("validation_rewards/margins", sums.reward_chosen - sums.reward_rejected);
  add_mean("validation_logps/chosen", sums.log_prob_chosen);
  add_mean("validation_logps/rejected", sums.log_prob_rejected);
  record.add("validation_nll_loss", nll);
  if (!ranks_.first()) return;
  log::info("step {}: {} held-out pairs, loss {:.4f}, {:.1f} % rightly ordered, margin {:.3f}",
            record.step, source_->pairs().size(), loss, 100 * sums.preferred / sums.pairs,
            (sums.reward_chosen - sums.reward_rejected) / sums.pairs);
}

}  // namespace fathom
