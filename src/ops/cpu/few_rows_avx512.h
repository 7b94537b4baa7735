// Weights as few_rows_tiles.h multiplies them, by AVX-512 (Instructions::avx512).
#pragma once

#include "ops/cpu/instructions.h"

#ifdef FATHOM_AVX512
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/tensor.h"
#include "ops/cpu/int8_rows.h"
#include "ops/cpu/packed_weights.h"
#include "ops/cpu/rows.h"
#include "ops/int8.h"

namespace fathom::ops::cpu {

inline constexpr int wide_lanes = 2 * lanes;
using WideFloats = float __attribute__((vector_size(4 * wide_lanes)));

FATHOM_AVX512 inline WideFloats load_wide(const float* from) {
  WideFloats vector;
  std::memcpy(&vector, from, sizeof(vector));
  return vector;
}

FATHOM_AVX512 inline float sum_of_wide(WideFloats v) {
  return sum_of_lanes(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                      __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
}

// A weight in bf16 with rows of x in bf16: an instruction multiplies 32 values and adds neighbours'
// products to a sum in f32.
class Bf16DotWeight {
 public:
  using Activation = bfloat16;
  static constexpr int tile_rows = 4, x_rows = 5;  // 20 sums in registers

  explicit Bf16DotWeight(const Tensor& w) : w_(w) {}
  std::int64_t rows() const { return w_.rows(); }
  std::int64_t cols() const { return w_.cols(); }

  template <int many, int w_rows>
  FATHOM_AVX512 void multiply(std::int64_t first, const bfloat16* x, std::int64_t x_stride,
                              float (&sums)[many][w_rows]) const {
    const std::int64_t whole = cols() / values * values;
    WideFloats lane_sums[many][w_rows] = {};
    const bfloat16* const w = row_of<bfloat16>(w_, first);
    for (std::int64_t i = 0; i < whole; i += values) {
      add<many, w_rows>(w + i, w_.row_stride, x + i, x_stride, ~__mmask32{0}, lane_sums);
    }
    if (whole < cols()) {
      const auto rest = static_cast<__mmask32>((std::uint64_t{1} << (cols() - whole)) - 1);
      add<many, w_rows>(w + whole, w_.row_stride, x + whole, x_stride, rest, lane_sums);
    }
    for (int r = 0; r < many; ++r) {
      for (int o = 0; o < w_rows; ++o) sums[r][o] = sum_of_wide(lane_sums[r][o]);
    }
  }

 private:
  static constexpr std::int64_t values = 32;  // of a vector

  template <int many, int w_rows>
  FATHOM_AVX512 static void add(const bfloat16* w, std::int64_t w_stride, const bfloat16* x,
                                std::int64_t x_stride, __mmask32 mask,
                                WideFloats (&lane_sums)[many][w_rows]) {
    __m512bh weights[w_rows];
    for (int o = 0; o < w_rows; ++o) {
      const bfloat16* const at = w + o * w_stride;
      __builtin_prefetch(at + w_rows * w_stride);  // of the next tile
      weights[o] = reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(mask, at));
    }
    for (int r = 0; r < many; ++r) {
      const auto row = reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(mask, x + r * x_stride));
      for (int o = 0; o < w_rows; ++o) {
        lane_sums[r][o] = reinterpret_cast<WideFloats>(_mm512_dpbf16_ps(
            reinterpret_cast<__m512>(lane_sums[r][o]), weights[o], row));
      }
    }
  }

  Tensor w_;
};

// A weight in 8 bits. A block's products are summed before they are scaled.
class WideInt8Weight {
 public:
  using Activation = float;
  using Packed = float;
  static constexpr int tile_rows = 4, x_rows = 4;  // 16 sums and a block's 2 vectors in registers

  explicit WideInt8Weight(const Int8Matrix& w)
      : integers_(w.integers.as<std::uint8_t>()),
        scales_(w.scales.as<std::uint16_t>()),
        rows_(w.integers.rows()),
        blocks_(w.scales.cols()) {}
  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return blocks_ * int8_block; }

  template <int many, int w_rows>
  FATHOM_AVX512 void multiply(std::int64_t first, const float* x, std::int64_t x_stride,
                              float (&sums)[many][w_rows]) const {
    WideFloats lane_sums[many][w_rows] = {};
    float scales[w_rows][chunk];
    for (std::int64_t begin = 0; begin < blocks_; begin += chunk) {
      const std::int64_t count = std::min(chunk, blocks_ - begin);
      for (int o = 0; o < w_rows; ++o) read_scales(first + o, begin, count, w_rows, scales[o]);
      for (std::int64_t b = 0; b < count; ++b) {
        const std::int64_t at = (begin + b) * int8_block;
        for (int o = 0; o < w_rows; ++o) {
          add_block<many, w_rows>(integers_ + (first + o) * cols() + at, scales[o][b], x + at,
                                  x_stride, lane_sums, o);
        }
      }
    }
    for (int r = 0; r < many; ++r) {
      for (int o = 0; o < w_rows; ++o) sums[r][o] = sum_of_wide(lane_sums[r][o]);
    }
  }

 private:
  static constexpr std::int64_t chunk = 64;  // blocks whose scales are in floats at once

  FATHOM_AVX512 void read_scales(std::int64_t row, std::int64_t first, std::int64_t count,
                                 std::int64_t next_tile, float* to) const {
    const std::uint16_t* const from = scales_ + row * blocks_ + first;
    __builtin_prefetch(from + next_tile * blocks_);
#pragma omp simd
    for (std::int64_t b = 0; b < count; ++b) to[b] = scale_of(from[b]);
  }

  // Adds the products of one block of row `o` of the tile.
  template <int many, int w_rows>
  FATHOM_AVX512 void add_block(const std::uint8_t* block, float scale, const float* x,
                               std::int64_t x_stride, WideFloats (&lane_sums)[many][w_rows],
                               int o) const {
    __builtin_prefetch(block + w_rows * cols());  // of the next tile
    const WideFloats low = values_at(block), high = values_at(block + wide_lanes);
    for (int r = 0; r < many; ++r) {
      const float* const row = x + r * x_stride;
      WideFloats sum = low * load_wide(row);
      sum += high * load_wide(row + wide_lanes);
      lane_sums[r][o] += sum * scale;
    }
  }

  FATHOM_AVX512 static WideFloats values_at(const std::uint8_t* integers) {
    using WideIntegers = std::int32_t __attribute__((vector_size(4 * wide_lanes)));
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(integers));
    // With a mask, for GCC 12 warns of an undefined vector in the other form.
    const __m512i wide = _mm512_maskz_cvtepi8_epi32(0xffff, bytes);
    return __builtin_convertvector(reinterpret_cast<WideIntegers>(wide), WideFloats);
  }

  const std::uint8_t* integers_;
  const std::uint16_t* scales_;
  std::int64_t rows_, blocks_;
};

}  // namespace fathom::ops::cpu

#endif
