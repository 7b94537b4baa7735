// Means and their errors.
#pragma once

#include <cstdint>
#include <span>

namespace fathom::eval {

struct Estimate {
  double value = 0;
  double standard_error = 0;  // NaN when it is not known, as for one item
};

// The mean, and its standard error: the sample's deviation (divisor n − 1) over √n.
Estimate mean_of(std::span<const double> values);
// Σ numerators / Σ denominators, with the error of a ratio estimator (Cochran, Sampling Techniques,
// 1977, equation 2.46): bits per byte of documents of any length.
Estimate ratio_of_sums(std::span<const double> numerators, std::span<const double> denominators);

// Two models on the same items: the difference of their means (second minus first), its standard
// error from the items' differences, and the two-sided probability of a difference at least as large
// when there is none (normal approximation).
struct PairedDifference {
  Estimate difference;
  double p_value = 1;
};
PairedDifference paired_difference(std::span<const double> first, std::span<const double> second);

}  // namespace fathom::eval
