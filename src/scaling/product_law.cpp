#include "scaling/product_law.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "core/error.h"

namespace fathom::scaling {
namespace {

using Vector = std::array<double, ProductLaw::terms>;
using Matrix = std::array<Vector, ProductLaw::terms>;

Vector features(const ProductSize& size) {
  return {size.flops(), size.outputs(), size.inputs(), 1};
}

// Sums over the measurements, each by its time: least squares of relative errors.
struct NormalEquations {
  Matrix products{};
  Vector targets{};

  explicit NormalEquations(std::span<const MeasuredProduct> measured) {
    for (const MeasuredProduct& point : measured) {
      Vector row = features(point.size);
      for (double& value : row) value /= point.seconds;
      for (std::size_t i = 0; i < row.size(); ++i) {
        targets[i] += row[i];
        for (std::size_t j = 0; j < row.size(); ++j) products[i][j] += row[i] * row[j];
      }
    }
  }

  // Of x, without the constant Σ 1.
  double squares(const Vector& x) const {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      sum -= 2 * x[i] * targets[i];
      for (std::size_t j = 0; j < x.size(); ++j) sum += x[i] * x[j] * products[i][j];
    }
    return sum;
  }
};

// The solution with the terms of `kept` (a bit each) alone, the others 0; none where the
// measurements do not tell the terms apart. Terms are scaled to a diagonal of ones, for they
// differ by 20 orders of magnitude.
std::optional<Vector> solve(const NormalEquations& equations, unsigned kept) {
  Matrix a{};
  Vector b{}, scale{};
  for (std::size_t i = 0; i < b.size(); ++i) scale[i] = std::sqrt(equations.products[i][i]);
  for (std::size_t i = 0; i < b.size(); ++i) {
    const bool row_kept = (kept >> i & 1U) != 0;
    b[i] = row_kept ? equations.targets[i] / scale[i] : 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const bool both = row_kept && (kept >> j & 1U) != 0;
      a[i][j] = both ? equations.products[i][j] / scale[i] / scale[j] : (i == j ? 1.0 : 0.0);
    }
  }
  constexpr double smallest_pivot = 1e-9;
  for (std::size_t i = 0; i < b.size(); ++i) {  // Cholesky's order needs no pivoting
    if (a[i][i] < smallest_pivot) return std::nullopt;
    for (std::size_t k = i + 1; k < b.size(); ++k) {
      const double factor = a[k][i] / a[i][i];
      for (std::size_t j = i; j < b.size(); ++j) a[k][j] -= factor * a[i][j];
      b[k] -= factor * b[i];
    }
  }
  for (std::size_t i = b.size(); i-- > 0;) {
    for (std::size_t j = i + 1; j < b.size(); ++j) b[i] -= a[i][j] * b[j];
    b[i] /= a[i][i];
  }
  for (std::size_t i = 0; i < b.size(); ++i) b[i] /= scale[i];
  return b;
}

bool has_negative(const Vector& x) {
  for (const double value : x) {
    if (value < 0) return true;
  }
  return false;
}

}  // namespace

double ProductSize::flops() const {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(columns) *
         static_cast<double>(depth);
}

double ProductSize::outputs() const {
  return static_cast<double>(rows) * static_cast<double>(columns);
}

double ProductSize::inputs() const {
  return static_cast<double>(rows + columns) * static_cast<double>(depth);
}

// Few terms: every choice of those that are not 0 is tried.
ProductLaw::ProductLaw(std::span<const MeasuredProduct> measured) {
  if (measured.empty()) fail_input("a card's profile has no measured products");
  const NormalEquations equations(measured);
  double least = std::numeric_limits<double>::infinity();
  for (unsigned kept = 1; kept < 1U << terms; ++kept) {
    const std::optional<Vector> x = solve(equations, kept);
    if (!x || has_negative(*x) || equations.squares(*x) >= least) continue;
    least = equations.squares(*x);
    coefficients_ = *x;
  }
}

double ProductLaw::seconds(const ProductSize& size) const {
  const Vector row = features(size);
  return std::inner_product(row.begin(), row.end(), coefficients_.begin(), 0.0);
}

}  // namespace fathom::scaling
