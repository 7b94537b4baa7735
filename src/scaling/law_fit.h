// Laws through the optima of several budgets: straight lines over logarithms, fitted robustly, each
// optimum weighted by how well its own experiment determines it.
#pragma once

#include <span>
#include <vector>

#include "scaling/laws.h"

namespace fathom::scaling {

// A value at x, with bootstrap draws of it. A draw that gave none is NaN.
struct LawPoint {
  double x = 0, y = 0;
  std::vector<double> draws;  // as many for all points of a law
};

// Fewest points through which a law is worth fitting.
inline constexpr std::size_t least_budgets = 3;
// Fewest points from which a loss curve has an irreducible term of its own.
inline constexpr std::size_t least_budgets_for_irreducible = 5;

// y = coefficient · x^exponent, through `least_budgets` points or more. `freedom`: degrees of
// freedom behind the draws. Where the points are farther from the line than their draws explain,
// the intervals are widened as much (Birge, 1932).
PowerLaw fit_power_law(std::span<const LawPoint> points, double freedom);

// L(C) = irreducible + coefficient · C^exponent, in the same way; irreducible is 0 for fewer points
// than `least_budgets_for_irreducible`.
LossCurve fit_loss_curve(std::span<const LawPoint> points, double freedom);

}  // namespace fathom::scaling
