// Robust least squares by Ceres, whose headers robust_fit.cpp alone includes: they take seconds to
// compile.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace fathom::scaling {

// The residual of observation `i` at `parameters`. Writes its derivative by each parameter to
// `gradient`, which is as long.
using Residual = std::function<double(std::size_t i, std::span<const double> parameters,
                                      std::span<double> gradient)>;

struct RobustFit {
  std::vector<double> parameters;
  double cost = 0;  // at the parameters; not finite when the search failed
};

// Searches from `start` for the parameters with the lowest cost Σ huber(residual_i), where
// huber(r) = r² / 2 for |r| <= delta, and delta · (|r| − delta / 2) beyond (Huber, 1964): an
// observation far from the others pulls no harder than one at delta. An infinite delta gives plain
// least squares. Finds a local minimum.
RobustFit robust_fit(std::size_t observations, const Residual& residual, double delta,
                     std::vector<double> start);

// Huber's delta in standard deviations of the noise that costs 5 % of efficiency when the noise
// is normal (Huber, Robust Statistics, 1981).
inline constexpr double usual_delta = 1.345;

}  // namespace fathom::scaling
