// Normal numbers from Philox words, the same bits on every device: only
// operations that IEEE 754 rounds correctly, in a fixed order.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/philox.h"

namespace fathom::ops {

struct Normals {
  float v[4];
};

namespace detail {

// sqrt(−2 ln u), u = (word / 2^8 + 1) / 2^24 in (0, 1].
FATHOM_HOST_DEVICE inline float radius_of(std::uint32_t word) {
  // u = mantissa · 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)); then
  // ln(mantissa) = 2 atanh(s), s = (mantissa − 1) / (mantissa + 1), as a series.
  const float integer = static_cast<float>(static_cast<std::int32_t>(word >> 8) + 1);
  std::int32_t bits;
  std::memcpy(&bits, &integer, sizeof(bits));
  const std::int32_t exponent = (bits - 0x3f3504f3) >> 23;  // the bits of sqrt(1/2)
  bits -= exponent * (1 << 23);
  float mantissa;
  std::memcpy(&mantissa, &bits, sizeof(mantissa));
  const float s = (mantissa - 1.0f) / (mantissa + 1.0f), s2 = s * s;
  float series = 1.0f / 9.0f;
  series = fmaf(series, s2, 1.0f / 7.0f);
  series = fmaf(series, s2, 1.0f / 5.0f);
  series = fmaf(series, s2, 1.0f / 3.0f);
  series = fmaf(series, s2, 1.0f);
  const float log_u = fmaf(static_cast<float>(exponent - 24), 0.693147181f, 2.0f * s * series);
  return sqrtf(fmaxf(-2.0f * log_u, 0.0f));
}

struct SinCos {
  float sine, cosine;
};

// Of the angle 2π · (word / 2^8) / 2^24.
FATHOM_HOST_DEVICE inline SinCos circle_of(std::uint32_t word) {
  // The nearest quarter turn, and the rest in [−1/8, 1/8] turn, exactly.
  const auto ticks = static_cast<std::int32_t>(word >> 8);
  const std::int32_t quarter = (ticks + (1 << 21)) >> 22;
  const float angle =
      static_cast<float>(ticks - quarter * (1 << 22)) * (1.57079633f / static_cast<float>(1 << 22));
  const float a2 = angle * angle;
  float sine = 2.75573192e-6f;
  sine = fmaf(sine, a2, -1.98412698e-4f);
  sine = fmaf(sine, a2, 8.33333333e-3f);
  sine = fmaf(sine, a2, -1.66666667e-1f);
  sine = fmaf(sine * a2, angle, angle);
  float cosine = -2.75573192e-7f;
  cosine = fmaf(cosine, a2, 2.48015873e-5f);
  cosine = fmaf(cosine, a2, -1.38888889e-3f);
  cosine = fmaf(cosine, a2, 4.16666667e-2f);
  cosine = fmaf(cosine, a2, -0.5f);
  cosine = fmaf(cosine, a2, 1.0f);
  const bool swap = (quarter & 1) != 0;
  const float s = swap ? cosine : sine, c = swap ? sine : cosine;
  return {(quarter & 2) != 0 ? -s : s, ((quarter + 1) & 2) != 0 ? -c : c};
}

}  // namespace detail

// Box and Muller's transform, twice: words 0 and 1 give numbers 0 (cosine) and 1
// (sine), words 2 and 3 give numbers 2 and 3. The even word of a pair is the
// radius, the odd one the angle. The largest magnitude is sqrt(48 ln 2) = 5.77.
FATHOM_HOST_DEVICE inline Normals normals_of(const Philox::Block& words) {
  const float r0 = detail::radius_of(words.v[0]), r1 = detail::radius_of(words.v[2]);
  const detail::SinCos c0 = detail::circle_of(words.v[1]), c1 = detail::circle_of(words.v[3]);
  return {{r0 * c0.cosine, r0 * c0.sine, r1 * c1.cosine, r1 * c1.sine}};
}

}  // namespace fathom::ops
