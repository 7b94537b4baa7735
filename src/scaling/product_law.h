// The time of a matrix product as a law of its size, fitted to measured products:
//
//   seconds = flops / rate + a · outputs + b · inputs + c
//
// A product is bound by its FLOPs; what it writes and reads, and its start, come on top.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace fathom::scaling {

// out [rows, columns] over a reduction of `depth`.
struct ProductSize {
  std::int64_t rows = 0, columns = 0, depth = 0;

  double flops() const;
  double outputs() const;  // elements
  double inputs() const;   // elements of both operands
  bool operator==(const ProductSize&) const = default;
  auto operator<=>(const ProductSize&) const = default;
};

struct MeasuredProduct {
  ProductSize size;
  double seconds = 0;
};

class ProductLaw {
 public:
  static constexpr std::size_t terms = 4;

  // No term is negative; the sum of the squares of the relative errors is the least. Throws an
  // input Error without measurements.
  explicit ProductLaw(std::span<const MeasuredProduct> measured);

  double seconds(const ProductSize& size) const;
  // 1 / rate, a, b, c
  const std::array<double, terms>& coefficients() const { return coefficients_; }

 private:
  std::array<double, terms> coefficients_{};
};

}  // namespace fathom::scaling
