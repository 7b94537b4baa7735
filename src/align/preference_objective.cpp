#include "align/preference_objective.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"

namespace fathom {
namespace {

void fill_weights(Batch& batch, const AnswerTokens& answer, double weight) {
  std::fill_n(batch.loss_weights.begin() + answer.begin, answer.count(),
              static_cast<float>(weight));
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

PreferenceSums sum_over(Communicator& replicas, const PreferenceSums& own) {
  PreferenceSums sums;
  for (const PreferenceSums& each : gather_values(replicas, own)) {
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

std::vector<PreferenceObjective::Judged> PreferenceObjective::judge(const Batch& batch,
                                                                    const EvaluateBatch& evaluate,
                                                                    PreferenceSums& sums) {
  const std::span<const float> losses = evaluate(batch);
  std::vector<Judged> judged;
  for (const PlacedPair& pair : source_->placed(batch.first_sample, batch.sequences)) {
    const PairLogProbs reference =
        reference_ ? reference_->of(0).at(static_cast<std::size_t>(pair.pair)) : PairLogProbs{};
    judged.push_back({pair, sums.add(config_, pair, log_probs_of(pair, losses), reference)});
  }
  return judged;
}

StepTerms PreferenceObjective::prepare(std::span<Batch> batches, const EvaluateBatch& evaluate) {
  PreferenceSums own;
  std::vector<std::vector<Judged>> judged;
  for (const Batch& batch : batches) judged.push_back(judge(batch, evaluate, own));
  const PreferenceSums all = sum_over(ranks_.data(), own);

  // ∂(loss · pairs) / ∂(−log π) of each answer's tokens.
  const double nll_weight = nll_token_weight(config_, all.pairs, all.chosen_tokens);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    batches[i].loss_weights.assign(batches[i].inputs.size(), 0.0f);
    for (const auto& [pair, terms] : judged[i]) {
      fill_weights(batches[i], pair.chosen, nll_weight - terms.by_chosen);
      fill_weights(batches[i], pair.rejected, -terms.by_rejected);
    }
  }
  if (config_.uses_reference()) {
    const std::string warning =
        watch_.observe(all.ratio_chosen / all.pairs, all.ratio_rejected / all.pairs);
    if (!warning.empty() && ranks_.first()) log::warning("{}", warning);
  }

  StepTerms terms;
  terms.normaliser = own.pairs;
  terms.counts = count_tokens(batches);
  terms.loss = own.loss - nll_weight * own.log_prob_chosen;
  terms.sums = {{"rewards/chosen", own.reward_chosen},
                {"rewards/rejected", own.reward_rejected},
                {"rewards/accuracies", own.preferred},
                {"rewards/margins", own.reward_chosen - own.reward_rejected},
                {"logps/chosen", own.log_prob_chosen},
                {"logps/rejected", own.log_prob_rejected},
                {"nll_loss", -own.log_prob_chosen * all.pairs / all.chosen_tokens}};
  return terms;
}

}  // namespace fathom
