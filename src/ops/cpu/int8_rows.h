// Rows of a matrix in 8 bits as floats.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "ops/cpu/math.h"
#include "ops/int8.h"

namespace fathom::ops::cpu {

// The value of a non-negative IEEE half that is finite: its bits as a float's have the exponent's
// bias 15 instead of 127.
inline float scale_of(std::uint16_t half) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 13) * 0x1p112f;
}

// to[i] = column first + i of row `row`, i in [0, count).
template <class T>
void read_int8_row(const Int8Matrix& matrix, std::int64_t row, std::int64_t first,
                   std::int64_t count, T* to) {
  const std::int64_t cols = matrix.integers.cols();
  const auto* const integers =
      reinterpret_cast<const std::int8_t*>(matrix.integers.as<std::uint8_t>()) + row * cols;
  const std::uint16_t* const scales = matrix.scales.as<std::uint16_t>() + row * (cols / int8_block);
  for (std::int64_t i = first; i < first + count;) {
    const std::int64_t end = std::min(first + count, (i / int8_block + 1) * int8_block);
    const float scale = scale_of(scales[i / int8_block]);
#pragma omp simd
    for (std::int64_t j = i; j < end; ++j) {
      store(to[j - first], scale * static_cast<float>(integers[j]));
    }
    i = end;
  }
}

}  // namespace fathom::ops::cpu
