// PreferenceObjective: what `fathom dpo` minimises. Between the forward and the backward of a
// micro-batch it weighs the answers' tokens such that the learner's weighted cross-entropy has the
// gradient of the preference loss (learn/objective.h). So a step costs one forward and one backward,
// and the reference, computed once, another forward of each pair.
#pragma once

#include <memory>

#include "align/likelihood_watch.h"
#include "align/preference_loss.h"
#include "align/preference_reference.h"

namespace fathom {

// Sums over pairs.
struct PreferenceSums {
  double pairs = 0, chosen_tokens = 0;
  double loss = 0;  // without the NLL term
  double reward_chosen = 0, reward_rejected = 0;
  double preferred = 0;  // pairs whose chosen answer has the larger reward
  double log_prob_chosen = 0, log_prob_rejected = 0;
  double ratio_chosen = 0, ratio_rejected = 0;  // log π − log π_ref

  // Adds a pair, and returns its terms.
  PairTerms add(const PreferenceLossConfig& config, const PlacedPair& pair, PairLogProbs policy,
                PairLogProbs reference);
};
// Over all replicas, from the ranks that know the losses; the same on every rank. Collective.
PreferenceSums sum_over(const RankGroups& ranks, const PreferenceSums& own);

class PreferenceObjective final : public Objective {
 public:
  // The batches are of `source`, whose values are the first ones of `reference`; null where the
  // loss has no reference. `ranks` outlives this.
  PreferenceObjective(const PreferenceLossConfig& config, std::shared_ptr<const PairSource> source,
                      std::shared_ptr<PreferenceReference> reference, const RankGroups& ranks)
      : config_(config),
        source_(std::move(source)),
        reference_(std::move(reference)),
        ranks_(ranks) {}

  std::string_view name() const override { return "preference"; }
  bool weighs_losses() const override { return true; }
  void begin(const EvaluateBatch& evaluate, std::int64_t steps_done) override;
  // The normaliser is the number of pairs.
  StepTerms prepare(std::span<Batch> batches) override;
  void weigh(const Batch& batch, std::span<const float> losses, std::span<float> weights) override;
  // Figures under TRL's names: rewards/..., logps/... and nll_loss, the chosen answers' mean loss
  // per token.
  void conclude(StepTerms& terms) override;

 private:
  // The pairs and the chosen answers' tokens of a step.
  struct Counts {
    double pairs = 0, chosen_tokens = 0;
  };

  PreferenceLossConfig config_;
  std::shared_ptr<const PairSource> source_;
  std::shared_ptr<PreferenceReference> reference_;
  const RankGroups& ranks_;
  LikelihoodWatch watch_;
  Counts all_;          // of the present step, over the replicas
  PreferenceSums own_;  // of its micro-batches that were weighed
};

}  // namespace fathom
