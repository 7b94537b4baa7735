// Vectors of 8 floats, and how 32 bytes of a weight's row become such vectors.
//
// The values of a type that is narrower than float lie `parts` to a float's 4 bytes. Vector j
// of a pack takes the j-th of each 4 bytes, which costs a shift or a mask; neighbouring values
// would need permutations. Activations are laid out to match once a product (pack_row()).
#pragma once

#include <cstdint>
#include <cstring>

#include "core/dtype.h"
#include "ops/cpu/math.h"

namespace fathom::ops::cpu {

inline constexpr int lanes = 8;
using Floats = float __attribute__((vector_size(4 * lanes)));
using Words = std::uint32_t __attribute__((vector_size(4 * lanes)));
using Integers = std::int32_t __attribute__((vector_size(4 * lanes)));

template <class Vector>
Vector load_vector(const void* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof(vector));
  return vector;
}

template <class Weight>
struct Pack {
  static constexpr int parts = static_cast<int>(sizeof(float) / sizeof(Weight));
  static constexpr int values = parts * lanes;
};

// Vector `part` of the pack with these bytes.
template <class Weight>
Floats unpack(Words bytes, int part);
template <>
inline Floats unpack<float>(Words bytes, int) {
  return reinterpret_cast<Floats>(bytes);
}
template <>
inline Floats unpack<bfloat16>(Words bytes, int part) {
  return reinterpret_cast<Floats>(part == 0 ? bytes << 16 : bytes & 0xffff0000u);
}
template <>
inline Floats unpack<std::int8_t>(Words bytes, int part) {
  // The byte at the top, then shifted down with its sign.
  return __builtin_convertvector(reinterpret_cast<Integers>(bytes << (24 - 8 * part)) >> 24,
                                 Floats);
}

// Lays `count` values out for the packs of a row of weights. The values behind the last whole
// pack keep their order.
template <class Weight, class T>
void pack_row(const T* from, std::int64_t count, float* to) {
  constexpr int parts = Pack<Weight>::parts, values = Pack<Weight>::values;
  const std::int64_t whole = count / values * values;
  for (std::int64_t i = 0; i < whole; i += values) {
    for (int part = 0; part < parts; ++part) {
      for (int lane = 0; lane < lanes; ++lane) {
        to[i + part * lanes + lane] = load(from[i + lane * parts + part]);
      }
    }
  }
  for (std::int64_t i = whole; i < count; ++i) to[i] = load(from[i]);
}

inline float sum_of_lanes(Floats v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

}  // namespace fathom::ops::cpu
