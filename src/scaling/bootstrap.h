// Intervals by the residual bootstrap (Efron, 1979): noise drawn from a fit's own residuals is
// added to what the fit says, and the fit is made again, many times. The draws are random numbers
// at counters: the same data give the same interval, whatever the number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/philox.h"

namespace fathom::scaling {

struct BootstrapOptions {
  std::int64_t draws = 1000;
  std::uint64_t seed = 1;
};

// Noise to draw from.
class Noise {
 public:
  // `residuals`: of one unit and spread. `name`: of the fit, so that each has numbers of its own.
  Noise(std::vector<double> residuals, std::string_view name, std::uint64_t seed);

  // The noise of observation `i` in a draw.
  double at(std::int64_t draw, std::int64_t i) const;

 private:
  std::vector<double> residuals_;  // their mean is 0
  Philox random_;
};

// Residuals of a fit are smaller than the noise, to which the fit's parameters bent. They are
// scaled by this factor, sqrt(n / (n − p)).
double residual_factor(std::size_t observations, std::size_t parameters);

// 1.4826 · median |residual|: the standard deviation where the noise is normal, unmoved by
// outliers.
double robust_deviation(std::span<const double> residuals);

// Adds the parameters of a draw. A draw whose noise left a parameter free may have given numbers
// beyond what a double holds: it is left out.
template <std::size_t N>
void add_draw(std::vector<std::array<double, N>>& draws, const std::array<double, N>& draw) {
  if (std::ranges::all_of(draw, [](double value) { return std::isfinite(value); })) {
    draws.push_back(draw);
  }
}

// How much wider Student's 95 % interval is than the normal one: the noise is estimated from
// `freedom` degrees of freedom (observations − parameters), and draws know nothing of the error of
// that. 1.30 at 5, 1.05 at 25.
double small_sample_factor(double freedom);

}  // namespace fathom::scaling
