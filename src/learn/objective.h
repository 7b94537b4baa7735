// Objective: the loss of a run. The training run asks it before each step; the loop knows
// nothing else of the loss. The loss has the form that the learner computes,
//
//   Σ_i loss_weights[i] · losses[i] / normaliser
//
// over the tokens of a step, losses[i] = −log p(target i). An objective whose loss is another
// function of the log-probabilities sets each token's weight to ∂(loss · normaliser) / ∂losses[i],
// which gives its gradient. DPO does this: between a micro-batch's forward and its backward it
// compares each pair with the reference's log-probabilities, sets the weights, and states its
// loss. Both of a pair must then be in one micro-batch.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "parallel/rank_groups.h"

namespace fathom {

// Losses [tokens] of a batch's targets by the weights as they are, 0 where there is no target;
// valid until the next call. Collective over the ranks of a replica, which all get the same.
using EvaluateBatch = std::function<std::span<const float>(const Batch&)>;

// How much of a step's work is learned from.
struct TokenCounts {
  double tokens = 0;   // that are computed, padding included
  double padding = 0;  // of them: tokens that only fill rows up
  double targets = 0;
};

// An objective's terms of a step, over this replica's micro-batches.
struct StepTerms {
  // The divisor of the step's loss is the sum of this over the replicas: targets, sequences
  // or pairs.
  double normaliser = 0;
  // This replica's part of the sum that is the loss, where that is not the weighted sum of the
  // tokens' losses. Present on all replicas or on none.
  std::optional<double> loss;
  // Sums of further figures by their names, the same names on every replica and in every step.
  // The run records each divided by the normaliser.
  std::vector<std::pair<std::string, double>> sums;
  // Recorded as sums. Present on all replicas or on none.
  std::optional<TokenCounts> counts;
};

// The same over all replicas: each sum divided by the sum of the normalisers, or 0 where that is 0.
struct StepFigures {
  std::optional<double> loss;
  std::vector<std::pair<std::string, double>> values;
  std::optional<TokenCounts> counts;  // sums, not divided
};
// From the ranks that know the losses. Collective over all ranks.
StepFigures figures_of(const StepTerms& terms, const RankGroups& ranks);

TokenCounts count_tokens(std::span<const Batch> batches);

class Objective {
 public:
  virtual ~Objective() = default;

  // Checkpoints keep it: a run of another objective does not go on from them.
  virtual std::string_view name() const = 0;
  // Whether weigh() sets the loss weights.
  virtual bool weighs_losses() const { return false; }
  // Called once before the run's first step, or the first one after a resume, when `steps_done` are
  // done: with 0 the weights are those that the run begins with. Collective.
  virtual void begin(const EvaluateBatch& /*evaluate*/, std::int64_t /*steps_done*/) {}

  // Called before each step with this replica's micro-batches, as the source gave them. It may
  // set their loss_weights, and nothing else of them. All ranks of a replica must do the same.
  // Collective.
  virtual StepTerms prepare(std::span<Batch> batches) = 0;
  // Called for each of these micro-batches on the ranks of the last stage, which must do the same:
  // sets `weights` [tokens] from `losses` [tokens], by the weights of the model as they are.
  virtual void weigh(const Batch& /*batch*/, std::span<const float> /*losses*/,
                     std::span<float> /*weights*/) {}
  // Called after the last of them: adds what weigh() found. Collective.
  virtual void conclude(StepTerms& /*terms*/) {}
};

// The mean of −log p over all targets of the step.
class NextTokenPrediction final : public Objective {
 public:
  // Checkpoints without a name are of this objective.
  static constexpr std::string_view objective_name = "next_token";

  std::string_view name() const override { return objective_name; }
  StepTerms prepare(std::span<Batch> batches) override;
};

}  // namespace fathom
