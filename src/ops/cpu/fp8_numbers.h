// Single numbers in FP8 (ops/fp8.h), as tensor cores read them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "ops/fp8.h"

namespace fathom::ops::cpu {

struct Fp8Layout {
  int fraction_bits, bias;
  explicit Fp8Layout(Fp8Format format)
      : fraction_bits(format == Fp8Format::e4m3 ? 3 : 2),
        bias(format == Fp8Format::e4m3 ? 7 : 15) {}
};

// The nearest number, ties to even; beyond the largest, that.
inline std::uint8_t fp8_bits(float value, Fp8Format format) {
  const Fp8Layout layout(format);
  const int sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value)) return static_cast<std::uint8_t>(sign | 0x7f);
  const float magnitude = std::min(std::abs(value), largest(format));
  const int smallest = 1 - layout.bias;  // the exponent of subnormal numbers too
  const int exponent = magnitude > 0 ? std::max(std::ilogb(magnitude), smallest) : smallest;
  const int steps =
      static_cast<int>(std::nearbyint(std::ldexp(magnitude, layout.fraction_bits - exponent)));
  // A leading one counts in the exponent, and rounding may carry into it.
  const int bits =
      ((exponent + layout.bias) << layout.fraction_bits) + steps - (1 << layout.fraction_bits);
  return static_cast<std::uint8_t>(sign | bits);
}

inline float fp8_value(std::uint8_t bits, Fp8Format format) {
  const Fp8Layout layout(format);
  const int magnitude = bits & 0x7f, exponent = magnitude >> layout.fraction_bits;
  const int fraction = magnitude & ((1 << layout.fraction_bits) - 1);
  const bool ieee = format == Fp8Format::e5m2;  // e4m3 has no infinity, and one NaN
  float value = 0;
  if (ieee && exponent == 31) {
    value = fraction == 0 ? std::numeric_limits<float>::infinity()
                          : std::numeric_limits<float>::quiet_NaN();
  } else if (!ieee && magnitude == 0x7f) {
    value = std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(fraction), 1 - layout.bias - layout.fraction_bits);
  } else {
    value = std::ldexp(static_cast<float>(fraction + (1 << layout.fraction_bits)),
                       exponent - layout.bias - layout.fraction_bits);
  }
  return (bits & 0x80) != 0 ? -value : value;
}

}  // namespace fathom::ops::cpu
