// A quadratic in one or two coordinates, fitted to losses around their lowest: the parabola of an
// IsoFLOP budget (over ln M), the bowl of a hyper-parameter grid (over ln rate and ln batch).
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace fathom::scaling {

enum class Axes { one = 1, two = 2 };

using Point = std::array<double, 2>;  // with one axis the second coordinate is 0

// y = constant + slope · u + ½ Σ curvature_i u_i² + twist u_0 u_1, where u = x − centre
struct Quadratic {
  Axes axes = Axes::one;
  Point centre{};
  double constant = 0;
  Point slope{};
  Point curvature{};
  double twist = 0;

  double at(Point x) const;
  bool has_minimum() const;  // the second derivatives are positive definite
  // These three need a minimum.
  Point lowest_point() const;
  double lowest() const;
  // How far along an axis the points reach, from the lowest, whose value is at most `rise` above
  // the lowest.
  double reach(int axis, double rise) const;
};

// Parameters of a quadratic: 3 or 6.
constexpr std::size_t parameter_count(Axes axes) {
  return axes == Axes::one ? 3 : 6;
}

// Fitted to y at the points x, at least as many as parameters. `deviation`: the standard deviation
// of y's noise, by which Huber's loss knows outliers; infinity: plain least squares.
Quadratic fit_quadratic(Axes axes, std::span<const Point> x, std::span<const double> y,
                        double deviation);

}  // namespace fathom::scaling
