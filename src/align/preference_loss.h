// Losses of preference training: of a pair of answers to one prompt, from the log-probabilities
// that the model in training (the policy) and the model it began as (the reference) give them. Pure
// functions; align/preference_objective.h applies them to a step.
//
// With r = log π(answer) − log π_ref(answer), summed over the answer's tokens, and
// h = r(chosen) − r(rejected):
//
//   sigmoid  −(1−ε) log σ(βh) − ε log σ(−βh)       Rafailov et al. 2023, eq. 7; ε > 0: cDPO
//   robust   (−(1−ε) log σ(βh) + ε log σ(−βh)) / (1−2ε)          Chowdhury et al. 2024
//   hinge    max(0, 1 − βh)                                      Zhao et al. 2023 (SLiC)
//   ipo      (h − 1/(2β))²                                       Azar et al. 2023, eq. 17
//   simpo    −log σ(β (h − margin)), r per token and without reference      Meng et al. 2024
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fathom {

enum class PreferenceLoss { sigmoid, robust, hinge, ipo, simpo };
inline std::span<const std::string_view> enum_names(PreferenceLoss) {
  static constexpr std::string_view names[] = {"sigmoid", "robust", "hinge", "ipo", "simpo"};
  return names;
}

struct PreferenceLossConfig {
  PreferenceLoss loss = PreferenceLoss::sigmoid;
  double beta = 0.1;
  double label_smoothing = 0;
  bool length_normalised = false;
  double margin = 0.5;
  double nll = 0;

  bool uses_reference() const { return loss != PreferenceLoss::simpo; }
  bool per_token() const { return length_normalised || loss == PreferenceLoss::simpo; }
};

template <class Visitor>
void visit_fields(PreferenceLossConfig& c, Visitor&& field) {
  field("loss", c.loss, "sigmoid (DPO), robust, hinge, ipo, or simpo, which needs no reference");
  field("beta", c.beta, "how strongly the model is held to its reference");
  field("label_smoothing", c.label_smoothing,
        "share of pairs taken to be the wrong way round; for sigmoid and robust");
  field("length_normalised", c.length_normalised,
        "log-probabilities per token and not of whole answers");
  field("margin", c.margin, "of simpo: nats per token that the chosen answer must be ahead");
  field("nll", c.nll, "weight of the chosen answers' mean loss per token, added to the loss");
}

// Throws an input Error that names the key.
void check(const PreferenceLossConfig& config);

// Log-probabilities of an answer's tokens, summed, in nats. A loss without reference reads none.
struct AnswerLogProbs {
  double policy = 0, reference = 0;
  std::int64_t tokens = 0;
};

struct PairTerms {
  double loss = 0;  // without the NLL term
  // ∂loss / ∂policy of each answer.
  double by_chosen = 0, by_rejected = 0;
  // β · r: what the policy implicitly pays for the answer. Of whole answers whatever the
  // normalisation, as TRL reports them; of simpo per token.
  double reward_chosen = 0, reward_rejected = 0;
};
PairTerms preference_terms(const PreferenceLossConfig& config, const AnswerLogProbs& chosen,
                           const AnswerLogProbs& rejected);

// Weight of each chosen token's −log π in a sum over pairs, such that the sum divided by the pairs
// holds `nll` times the mean over the tokens. Pass the counts of the whole step: then the loss
// depends neither on how pairs are batched nor on the ranks.
double nll_token_weight(const PreferenceLossConfig& config, double pairs, double chosen_tokens);

}  // namespace fathom
