#include "scaling/quadratic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "core/error.h"
#include "scaling/robust_fit.h"

namespace fathom::scaling {
namespace {

using Basis = std::array<double, 6>;

// The derivative of y by constant, slope 0, curvature 0, slope 1, curvature 1, twist at u.
Basis basis(Point u) {
  return {1, u[0], u[0] * u[0] / 2, u[1], u[1] * u[1] / 2, u[0] * u[1]};
}

Point difference(Point a, Point b) {
  return {a[0] - b[0], a[1] - b[1]};
}

double determinant(const Quadratic& q) {
  return q.axes == Axes::one ? q.curvature[0] : q.curvature[0] * q.curvature[1] - q.twist * q.twist;
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

double Quadratic::at(Point x) const {
  const Basis b = basis(difference(x, centre));
  return constant * b[0] + slope[0] * b[1] + curvature[0] * b[2] + slope[1] * b[3] +
         curvature[1] * b[4] + twist * b[5];
}

bool Quadratic::has_minimum() const {
  return curvature[0] > 0 && determinant(*this) > 0;
}

Point Quadratic::lowest_point() const {
  if (axes == Axes::one) return {centre[0] - slope[0] / curvature[0], centre[1]};
  const double d = determinant(*this);
  return {centre[0] - (curvature[1] * slope[0] - twist * slope[1]) / d,
          centre[1] - (curvature[0] * slope[1] - twist * slope[0]) / d};
}

double Quadratic::lowest() const {
  return at(lowest_point());
}

double Quadratic::reach(int axis, double rise) const {
  // The largest u_i with ½ u'Hu = rise is sqrt(2 · rise · (H⁻¹)_ii).
  const double inverse = axes == Axes::one
                             ? 1 / curvature[0]
                             : curvature[static_cast<std::size_t>(1 - axis)] / determinant(*this);
  return std::sqrt(2 * rise * inverse);
}

Quadratic fit_quadratic(Axes axes, std::span<const Point> x, std::span<const double> y,
                        double deviation) {
  const std::size_t count = parameter_count(axes);
  require(x.size() == y.size() && x.size() >= count, "{} points for {} values and a quadratic",
          x.size(), y.size());
  Quadratic fit{axes, {}, 0, {}, {}, 0};
  for (const Point& point : x) {
    for (std::size_t axis : {0, 1}) fit.centre[axis] += point[axis] / static_cast<double>(x.size());
  }
  const double middle = mean(y);
  const auto [low, high] = std::ranges::minmax(y);
  // Residuals in units of the noise, or of y's range where it is unknown.
  const bool robust = std::isfinite(deviation);
  const double unit = robust ? deviation : std::max(high - low, 1e-9);
  const Residual residual = [&](std::size_t i, std::span<const double> p, std::span<double> by) {
    const Basis b = basis(difference(x[i], fit.centre));
    double value = middle - y[i];
    for (std::size_t k = 0; k < count; ++k) {
      value += p[k] * b[k];
      by[k] = b[k] / unit;
    }
    return value / unit;
  };
  // From the plain fit: far from the lowest cost, where all residuals are outliers, the search is
  // slow.
  constexpr double plain = std::numeric_limits<double>::infinity();
  std::vector<double> p =
      robust_fit(x.size(), residual, plain, std::vector<double>(count, 0.0)).parameters;
  if (robust) p = robust_fit(x.size(), residual, usual_delta, std::move(p)).parameters;
  p.resize(6, 0.0);
  fit.constant = middle + p[0];
  fit.slope = {p[1], p[3]};
  fit.curvature = {p[2], p[4]};
  fit.twist = p[5];
  return fit;
}

}  // namespace fathom::scaling
