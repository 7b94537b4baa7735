// Loads, stores and functions for loops over f32 or bf16 that the compiler can
// vectorise: straight-line code without branches or calls.
#pragma once

#include <bit>
#include <cstdint>

#include "core/dtype.h"

namespace fathom::ops::cpu {

// Every loop computes in float, whatever the type in memory.
inline float load(float x) {
  return x;
}
inline float load(bfloat16 x) {
  return static_cast<float>(x);
}
inline void store(float& to, float value) {
  to = value;
}
inline void store(bfloat16& to, float value) {
  to = bfloat16(value);
}

// e^x within 1 ulp for results that are normal numbers; 0 below -87.3, where
// they no longer are (so exp_of(-inf) is 0), inf above 88.73; NaN stays NaN.
//
// x = n ln 2 + r with |r| <= ln(2) / 2; e^r = 1 + r + r² q(r), where q of degree
// 4 interpolates at Chebyshev's nodes (relative error of e^r under 1e-8).
inline float exp_of(float x) {
  constexpr float log2_e = 1.44269504f;
  constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;  // high: 9 bits, n · it exact
  constexpr float round_magic = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer
  const float low = x < -87.3f ? -87.3f : x;
  const float clamped = low > 88.73f ? 88.73f : low;
  const float shifted = __builtin_fmaf(clamped, log2_e, round_magic);
  const float n = shifted - round_magic;
  const float r = __builtin_fmaf(-n, ln2_low, __builtin_fmaf(-n, ln2_high, clamped));
  float q = 1.39262508e-3f;
  q = __builtin_fmaf(q, r, 8.36323288e-3f);
  q = __builtin_fmaf(q, r, 4.16665542e-2f);
  q = __builtin_fmaf(q, r, 1.66665766e-1f);
  q = __builtin_fmaf(q, r, 0.5f);
  const float e = __builtin_fmaf(q, r * r, r) + 1.0f;
  // Multiplies by 2^n in the exponent's bits. The low bits of `shifted` are n.
  const auto bits = std::bit_cast<std::uint32_t>(e) + (std::bit_cast<std::uint32_t>(shifted) << 23);
  const float positive = x < -87.3f ? 0.0f : std::bit_cast<float>(bits);
  return x <= 88.7228394f ? positive : x * 3e38f;  // inf, or NaN where x is NaN
}

inline float sigmoid_of(float x) {
  return 1.0f / (1.0f + exp_of(-x));
}

}  // namespace fathom::ops::cpu
