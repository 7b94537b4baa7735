#include "align/preference_loss.h"

#include <algorithm>
#include <cmath>

#include "core/enum_names.h"
#include "core/error.h"

namespace fathom {
namespace {

// −log σ(z), for any z without overflow.
double minus_log_sigmoid(double z) {
  return std::max(-z, 0.0) + std::log1p(std::exp(-std::abs(z)));
}

double sigmoid(double z) {
  return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z));
}

// A loss as a function of h, and its derivative.
struct Curve {
  double value = 0, slope = 0;
};

// a · (−log σ(z)) + b · (−log σ(−z)) of z = βh.
Curve logistic(double beta, double h, double a, double b) {
  const double z = beta * h;
  return {a * minus_log_sigmoid(z) + b * minus_log_sigmoid(-z),
          beta * (b * sigmoid(z) - a * sigmoid(-z))};
}

Curve curve_at(const PreferenceLossConfig& c, double h) {
  const double smoothing = c.label_smoothing, z = c.beta * h;
  switch (c.loss) {
    case PreferenceLoss::sigmoid:
      return logistic(c.beta, h, 1 - smoothing, smoothing);
    case PreferenceLoss::robust: {
      const double scale = 1 / (1 - 2 * smoothing);
      return logistic(c.beta, h, (1 - smoothing) * scale, -smoothing * scale);
    }
    case PreferenceLoss::hinge:
      return z < 1 ? Curve{1 - z, -c.beta} : Curve{};
    case PreferenceLoss::ipo: {
      const double distance = h - 1 / (2 * c.beta);
      return {distance * distance, 2 * distance};
    }
    case PreferenceLoss::simpo:
      return logistic(c.beta, h - c.margin, 1, 0);
  }
  fail_runtime("a preference loss without a name: {}", static_cast<int>(c.loss));
}

double log_ratio(const PreferenceLossConfig& c, const AnswerLogProbs& answer) {
  return answer.policy - (c.uses_reference() ? answer.reference : 0);
}

}  // namespace

void check(const PreferenceLossConfig& c) {
  if (!(c.beta > 0) || !std::isfinite(c.beta)) {
    fail_input("dpo.beta is {}: use a positive number", c.beta);
  }
  if (!(c.label_smoothing >= 0 && c.label_smoothing < 0.5)) {
    fail_input("dpo.label_smoothing is {}: use 0 or more and less than 0.5", c.label_smoothing);
  }
  const bool smooths = c.loss == PreferenceLoss::sigmoid || c.loss == PreferenceLoss::robust;
  if (c.label_smoothing > 0 && !smooths) {
    fail_input("dpo.label_smoothing is {}, which {} does not have: use sigmoid or robust, or 0",
               c.label_smoothing, enum_name(c.loss));
  }
  if (!std::isfinite(c.margin)) fail_input("dpo.margin is {}: use a finite number", c.margin);
  if (!(c.nll >= 0) || !std::isfinite(c.nll)) {
    fail_input("dpo.nll is {}: use 0 (none) or a positive number", c.nll);
  }
}

PairTerms preference_terms(const PreferenceLossConfig& c, const AnswerLogProbs& chosen,
                           const AnswerLogProbs& rejected) {
  require(chosen.tokens > 0 && rejected.tokens > 0, "answers of {} and {} tokens", chosen.tokens,
          rejected.tokens);
  const double of_chosen = c.per_token() ? 1.0 / static_cast<double>(chosen.tokens) : 1;
  const double of_rejected = c.per_token() ? 1.0 / static_cast<double>(rejected.tokens) : 1;
  const double ratio_chosen = log_ratio(c, chosen), ratio_rejected = log_ratio(c, rejected);
  const Curve curve = curve_at(c, ratio_chosen * of_chosen - ratio_rejected * of_rejected);
  PairTerms terms;
  terms.loss = curve.value;
  terms.by_chosen = curve.slope * of_chosen;
  terms.by_rejected = -curve.slope * of_rejected;
  const bool whole = c.uses_reference();
  terms.reward_chosen = c.beta * ratio_chosen * (whole ? 1 : of_chosen);
  terms.reward_rejected = c.beta * ratio_rejected * (whole ? 1 : of_rejected);
  return terms;
}

double nll_token_weight(const PreferenceLossConfig& c, double pairs, double chosen_tokens) {
  return chosen_tokens > 0 ? c.nll * pairs / chosen_tokens : 0;
}

}  // namespace fathom
