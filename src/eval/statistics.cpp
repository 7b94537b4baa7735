#include "eval/statistics.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"

namespace fathom::eval {
namespace {

double sum_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

Estimate mean_of(std::span<const double> values) {
  require(!values.empty(), "a mean of nothing");
  const auto n = static_cast<double>(values.size());
  const double mean = sum_of(values) / n;
  if (values.size() == 1) return {mean, std::numeric_limits<double>::quiet_NaN()};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / (n - 1) / n)};
}

Estimate ratio_of_sums(std::span<const double> numerators, std::span<const double> denominators) {
  require(numerators.size() == denominators.size() && !numerators.empty(), "a ratio of {} to {} sums",
          numerators.size(), denominators.size());
  const auto n = static_cast<double>(numerators.size());
  const double below = sum_of(denominators);
  const double ratio = sum_of(numerators) / below;
  if (numerators.size() == 1) return {ratio, std::numeric_limits<double>::quiet_NaN()};
  double squares = 0;
  for (std::size_t i = 0; i < numerators.size(); ++i) {
    const double residual = numerators[i] - ratio * denominators[i];
    squares += residual * residual;
  }
  return {ratio, std::sqrt(squares / (n - 1) / n) / (below / n)};
}

PairedDifference paired_difference(std::span<const double> first, std::span<const double> second) {
  require(first.size() == second.size(), "a paired test of {} and {} items", first.size(), second.size());
  std::vector<double> differences;
  for (std::size_t i = 0; i < first.size(); ++i) differences.push_back(second[i] - first[i]);
  PairedDifference result{mean_of(differences)};
  const Estimate& d = result.difference;
  if (d.standard_error > 0) result.p_value = std::erfc(std::abs(d.value) / d.standard_error / std::sqrt(2.0));
  if (d.standard_error == 0 && d.value != 0) result.p_value = 0;
  return result;
}

}  // namespace fathom::eval
