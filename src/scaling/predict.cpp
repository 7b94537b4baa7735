#include "scaling/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/error.h"
#include "scaling/law_fit.h"

namespace fathom::scaling {
namespace {

void require_positive(std::string_view name, double value) {
  if (value > 0 && !std::isinf(value)) return;
  fail_input("the {} is {}: use a positive number, such as 1e9", name, value);
}

// How far the surface lies at M and D above its lowest point with the same M · D, where the
// derivative of A / M^a + B · M^b / C^b is zero.
double loss_above_best(const LossSurface& surface, double model_flops, double tokens) {
  const double a = surface.model_exponent.value, b = surface.data_exponent.value;
  const double compute = model_flops * tokens;
  const double ratio =
      a * surface.model_coefficient.value / (b * surface.data_coefficient.value);
  const double best = std::pow(ratio * std::pow(compute, b), 1 / (a + b));
  return surface.at(model_flops, tokens) - surface.at(best, compute / best);
}

Parameter loss_by_curve(const LossCurve& curve, double compute, double above) {
  Parameter loss{curve.at(compute) + above, curve.interval_at(compute)};
  if (loss.interval) loss.interval = Interval{loss.interval->low + above, loss.interval->high + above};
  return loss;
}

double largest_budget(const LossCurve& curve) {
  double largest = 0;
  for (const auto& [compute, loss] : curve.record.points) largest = std::max(largest, compute);
  return largest;
}

double largest_budget(const Laws& laws) {
  double largest = laws.loss ? largest_budget(*laws.loss) : 0;
  if (laws.loss_surface) {
    for (const auto& [m, d, loss] : laws.loss_surface->record.points)
      largest = std::max(largest, m * d);
  }
  return largest;
}

// Of a curve that has too few budgets for an irreducible loss, beyond them.
bool falls_too_far(const LossCurve& curve, double compute) {
  constexpr double rounding = 1.01;
  const std::size_t budgets = curve.record.points.size();
  return budgets > 0 && budgets < least_budgets_for_irreducible &&
         compute > largest_budget(curve) * rounding;
}

std::vector<std::string> warnings_of(const Laws& laws, double compute,
                                     std::optional<double> beyond) {
  constexpr double far = 30;
  std::vector<std::string> warnings;
  if (beyond && *beyond > far) {
    warnings.push_back(
        fmt::format("the budget is {:.0f} times that of the largest run behind the laws", *beyond));
  }
  if (laws.loss && falls_too_far(*laws.loss, compute)) {
    warnings.push_back(fmt::format(
        "the curve has {} budgets, and with fewer than {} no irreducible loss: beyond them it "
        "falls too far",
        laws.loss->record.points.size(), least_budgets_for_irreducible));
  }
  return warnings;
}

Prediction prediction_at(const Laws& laws, double model_flops, double tokens) {
  Prediction out{model_flops, tokens, {}, {}, laws.loss_unit, laws.source, {}, {}};
  const double compute = model_flops * tokens, largest = largest_budget(laws);
  if (largest > 0) out.beyond = compute / largest;
  out.warnings = warnings_of(laws, compute, out.beyond);
  return out;
}

}  // namespace

Prediction predict_loss(const Laws& laws, double model_flops, double tokens) {
  const LossSurface& surface = require_law(laws.loss_surface, "loss_surface", laws);
  require_positive("model's FLOPs a token", model_flops);
  require_positive("number of tokens", tokens);
  Prediction out = prediction_at(laws, model_flops, tokens);
  out.by_surface = {surface.at(model_flops, tokens), surface.interval_at(model_flops, tokens)};
  if (laws.loss) {
    out.by_curve = loss_by_curve(*laws.loss, model_flops * tokens,
                                 loss_above_best(surface, model_flops, tokens));
  }
  return out;
}

Prediction predict_best_loss(const Laws& laws, double compute) {
  const PowerLaw& best = require_law(laws.model_flops, "model_flops", laws);
  const LossCurve& curve = require_law(laws.loss, "loss", laws);
  require_positive("budget", compute);
  const double model_flops = best.at(compute), tokens = compute / model_flops;
  Prediction out = prediction_at(laws, model_flops, tokens);
  out.by_curve = loss_by_curve(curve, compute, 0);
  if (laws.loss_surface) {
    const LossSurface& surface = *laws.loss_surface;
    out.by_surface = {surface.at(model_flops, tokens), surface.interval_at(model_flops, tokens)};
  }
  return out;
}

}  // namespace fathom::scaling
