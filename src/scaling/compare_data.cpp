#include "scaling/compare_data.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom::scaling {
namespace {

DataComparison compare(const DatasetFit& larger, const DatasetFit& smaller) {
  const PowerLaw &a = *larger.isoflop.model_flops, &b = *smaller.isoflop.model_flops;
  DataComparison out{larger.dataset, smaller.dataset, a.exponent.value - b.exponent.value, {}};
  std::vector<double> differences;
  for (std::size_t i = 0; i < std::min(a.record.draws.size(), b.record.draws.size()); ++i) {
    differences.push_back(a.record.draws[i][1] - b.record.draws[i][1]);
  }
  if (!differences.empty()) out.interval = middle_95(std::move(differences));
  return out;
}

}  // namespace

std::vector<DataComparison> compare_data(std::span<const DatasetFit> fits) {
  std::vector<const DatasetFit*> sorted;
  for (const DatasetFit& fit : fits) {
    if (fit.isoflop.model_flops) sorted.push_back(&fit);
  }
  std::ranges::stable_sort(sorted, std::greater(), [](const DatasetFit* fit) {
    return fit->isoflop.model_flops->exponent.value;
  });
  std::vector<DataComparison> all;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = i + 1; j < sorted.size(); ++j) {
      all.push_back(compare(*sorted[i], *sorted[j]));
    }
  }
  return all;
}

std::string finding(const DataComparison& c) {
  const std::string numbers =
      fmt::format("{:.3f} ({:.3f} to {:.3f})", c.difference, c.interval.low, c.interval.high);
  if (!c.certain()) {
    return fmt::format(
        "The runs cannot tell which of {} and {} deserves the bigger model: their exponents of "
        "M_opt differ by {}.",
        c.larger, c.smaller, numbers);
  }
  return fmt::format(
      "{} deserves the bigger model: its exponent of M_opt is larger than {}'s by {}. Where "
      "everything else is equal, this is the mark of better data.",
      c.larger, c.smaller, numbers);
}

}  // namespace fathom::scaling
