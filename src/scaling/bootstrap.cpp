#include "scaling/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"

namespace fathom::scaling {

Noise::Noise(std::vector<double> residuals, std::string_view name, std::uint64_t seed)
    : residuals_(std::move(residuals)), random_{seed, stream_of(name.data(), name.size())} {
  require(!residuals_.empty(), "bootstrap '{}' without residuals", name);
  const double mean = std::accumulate(residuals_.begin(), residuals_.end(), 0.0) /
                      static_cast<double>(residuals_.size());
  for (double& residual : residuals_) residual -= mean;
}

double Noise::at(std::int64_t draw, std::int64_t i) const {
  constexpr std::uint64_t most_observations = std::uint64_t{1} << 32;
  const auto counter =
      static_cast<std::uint64_t>(draw) * most_observations + static_cast<std::uint64_t>(i);
  const auto pick = random_.uniform(counter) * static_cast<double>(residuals_.size());
  return residuals_[static_cast<std::size_t>(pick)];
}

double residual_factor(std::size_t observations, std::size_t parameters) {
  const auto n = static_cast<double>(observations), p = static_cast<double>(parameters);
  return std::sqrt(n / std::max(n - p, 1.0));
}

double robust_deviation(std::span<const double> residuals) {
  std::vector<double> sizes;
  for (const double residual : residuals) sizes.push_back(std::abs(residual));
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  return 1.4826 * *middle;
}

double small_sample_factor(double freedom) {
  // Student's quantile by powers of 1 / freedom (Abramowitz and Stegun, 26.7.5).
  constexpr double z = 1.959964, z2 = z * z;
  const double f = std::max(freedom, 2.0);
  const double g1 = (z2 + 1) / 4;
  const double g2 = ((5 * z2 + 16) * z2 + 3) / 96;
  const double g3 = (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
  return 1 + g1 / f + g2 / (f * f) + g3 / (f * f * f);
}

}  // namespace fathom::scaling
