#include "scaling/laws.h"

#include <algorithm>
#include <cmath>

namespace fathom::scaling {
namespace {

// The value at share `q` of sorted `values`, 0 for the first and 1 for the last.
double quantile(const std::vector<double>& values, double q) {
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], place - static_cast<double>(below));
}

// The spread of a law's value over its draws, each of which `value` turns into one.
template <class Draw, class Value>
std::optional<Interval> spread(const std::vector<Draw>& draws, Value&& value) {
  if (draws.empty()) return std::nullopt;
  std::vector<double> values;
  values.reserve(draws.size());
  for (const Draw& draw : draws) values.push_back(value(draw));
  return middle_95(std::move(values));
}

PowerLaw power_law(double coefficient, double exponent) {
  PowerLaw law;
  law.coefficient.value = coefficient;
  law.exponent.value = exponent;
  return law;
}

}  // namespace

Interval middle_95(std::vector<double> values) {
  require(!values.empty(), "middle_95() called without values");
  std::ranges::sort(values);
  return {quantile(values, 0.025), quantile(values, 0.975)};
}

double PowerLaw::at(double x) const {
  return coefficient.value * std::pow(x, exponent.value);
}

std::optional<Interval> PowerLaw::interval_at(double x) const {
  return spread(record.draws, [&](const auto& d) { return d[0] * std::pow(x, d[1]); });
}

double LossCurve::at(double compute) const {
  return irreducible.value + coefficient.value * std::pow(compute, exponent.value);
}

std::optional<Interval> LossCurve::interval_at(double compute) const {
  return spread(record.draws, [&](const auto& d) { return d[0] + d[1] * std::pow(compute, d[2]); });
}

double LossSurface::at(double model_flops, double tokens) const {
  return irreducible.value + model_coefficient.value / std::pow(model_flops, model_exponent.value) +
         data_coefficient.value / std::pow(tokens, data_exponent.value);
}

std::optional<Interval> LossSurface::interval_at(double model_flops, double tokens) const {
  return spread(record.draws, [&](const auto& d) {
    return d[0] + d[1] / std::pow(model_flops, d[2]) + d[3] / std::pow(tokens, d[4]);
  });
}

Laws deepseek_laws() {
  Laws laws;
  laws.source = "deepseek";
  laws.data = "DeepSeek LLM's current in-house data";
  laws.learning_rate = power_law(0.3118, -0.1250);
  laws.batch_tokens = power_law(0.2920, 0.3271);
  laws.model_flops = power_law(0.1715, 0.5243);
  laws.tokens = power_law(5.8316, 0.4757);
  return laws;
}

}  // namespace fathom::scaling
