#include "align/preference_objective.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"

namespace fathom {
namespace {

void fill_weights(std::span<float> weights, const AnswerTokens& answer, double weight) {
  std::fill_n(weights.begin() + answer.begin, answer.count(), static_cast<float>(weight));
}

}  // namespace

PairTerms PreferenceSums::add(const PreferenceLossConfig& config, const PlacedPair& pair,
                              PairLogProbs policy, PairLogProbs reference) {
  const AnswerLogProbs chosen{policy.chosen, reference.chosen, pair.chosen.count()};
  const AnswerLogProbs rejected{policy.rejected, reference.rejected, pair.rejected.count()};
  const PairTerms terms = preference_terms(config, chosen, rejected);
  pairs += 1;
  chosen_tokens += static_cast<double>(chosen.tokens);
  loss += terms.loss;
  reward_chosen += terms.reward_chosen;
  reward_rejected += terms.reward_rejected;
  preferred += terms.reward_chosen > terms.reward_rejected ? 1 : 0;
  log_prob_chosen += chosen.policy;
  log_prob_rejected += rejected.policy;
  ratio_chosen += chosen.policy - chosen.reference;
  ratio_rejected += rejected.policy - rejected.reference;
  return terms;
}

PreferenceSums sum_over(const RankGroups& ranks, const PreferenceSums& own) {
  PreferenceSums sums;
  for (const PreferenceSums& each :
       gather_values(ranks.world(), ranks.tells_losses() ? own : PreferenceSums{})) {
    for (const auto member : {&PreferenceSums::pairs, &PreferenceSums::chosen_tokens,
                              &PreferenceSums::loss, &PreferenceSums::reward_chosen,
                              &PreferenceSums::reward_rejected, &PreferenceSums::preferred,
                              &PreferenceSums::log_prob_chosen, &PreferenceSums::log_prob_rejected,
                              &PreferenceSums::ratio_chosen, &PreferenceSums::ratio_rejected}) {
      sums.*member += each.*member;
    }
  }
  return sums;
}

void PreferenceObjective::begin(const EvaluateBatch& evaluate, std::int64_t steps_done) {
  if (reference_) reference_->begin(evaluate, steps_done);
}

StepTerms PreferenceObjective::prepare(std::span<Batch> batches) {
  Counts own;
  for (Batch& batch : batches) {
    batch.loss_weights.assign(batch.inputs.size(), 0.0f);
    for (const PlacedPair& pair : source_->placed(batch.first_sample, batch.sequences)) {
      own.pairs += 1;
      own.chosen_tokens += static_cast<double>(pair.chosen.count());
    }
  }
  all_ = {};
  own_ = {};
  for (const Counts& replica : gather_values(ranks_.data(), own)) {
    all_.pairs += replica.pairs;
    all_.chosen_tokens += replica.chosen_tokens;
  }
  StepTerms terms;
  terms.normaliser = own.pairs;
  terms.counts = count_tokens(batches);
  return terms;
}

// ∂(loss · pairs) / ∂(−log π) of each answer's tokens.
void PreferenceObjective::weigh(const Batch& batch, std::span<const float> losses,
                                std::span<float> weights) {
  std::ranges::fill(weights, 0.0f);
  const double nll_weight = nll_token_weight(config_, all_.pairs, all_.chosen_tokens);
  for (const PlacedPair& pair : source_->placed(batch.first_sample, batch.sequences)) {
    const PairLogProbs reference =
        reference_ ? reference_->of(0).at(static_cast<std::size_t>(pair.pair)) : PairLogProbs{};
    const PairTerms terms = own_.add(config_, pair, log_probs_of(pair, losses), reference);
    fill_weights(weights, pair.chosen, nll_weight - terms.by_chosen);
    fill_weights(weights, pair.rejected, -terms.by_rejected);
  }
}

void PreferenceObjective::conclude(StepTerms& terms) {
  if (config_.uses_reference()) {
    const PreferenceSums all = sum_over(ranks_, own_);
    const std::string warning =
        watch_.observe(all.ratio_chosen / all.pairs, all.ratio_rejected / all.pairs);
    if (!warning.empty() && ranks_.first()) log::warning("{}", warning);
  }
  const double nll_weight = nll_token_weight(config_, all_.pairs, all_.chosen_tokens);
  terms.loss = own_.loss - nll_weight * own_.log_prob_chosen;
  terms.sums = {{"rewards/chosen", own_.reward_chosen},
                {"rewards/rejected", own_.reward_rejected},
                {"rewards/accuracies", own_.preferred},
                {"rewards/margins", own_.reward_chosen - own_.reward_rejected},
                {"logps/chosen", own_.log_prob_chosen},
                {"logps/rejected", own_.log_prob_rejected},
                {"nll_loss", -own_.log_prob_chosen * all_.pairs / all_.chosen_tokens}};
}

}  // namespace fathom
