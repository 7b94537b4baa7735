#include "ops/cpu/int8.h"

#include "ops/cpu/few_rows.h"
#include "ops/cpu/few_rows_avx512.h"
#include "ops/cpu/few_rows_tiles.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/gemm_int8.h"
#include "ops/cpu/int8_rows.h"

namespace fathom::ops::cpu {
namespace {

// A block's products are summed before they are scaled. 32 bytes of integers are one block.
class Int8Weight {
 public:
  using Activation = float;
  using Packed = std::int8_t;
  static constexpr int tile_rows = 2, x_rows = 4;  // 8 sums and a block's 4 vectors in registers
  static_assert(Pack<std::int8_t>::values == int8_block);

  explicit Int8Weight(const Int8Matrix& w)
      : integers_(w.integers.as<std::uint8_t>()),
        scales_(w.scales.as<std::uint16_t>()),
        rows_(w.integers.rows()),
        blocks_(w.scales.cols()) {}
  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return blocks_ * int8_block; }

  template <int many, int w_rows>
  void multiply(std::int64_t first, const float* x, std::int64_t x_stride,
                float (&sums)[many][w_rows]) const {
    Floats lane_sums[many][w_rows] = {};
    float scales[w_rows][chunk];
    for (std::int64_t begin = 0; begin < blocks_; begin += chunk) {
      const std::int64_t count = std::min(chunk, blocks_ - begin);
      for (int o = 0; o < w_rows; ++o) read_scales(first + o, begin, count, scales[o]);
      for (std::int64_t b = 0; b < count; ++b) {
        const std::int64_t at = (begin + b) * int8_block;
        for (int o = 0; o < w_rows; ++o) {
          add_block(integers_ + (first + o) * cols() + at, w_rows * cols(), scales[o][b], x + at,
                    x_stride, lane_sums, o);
        }
      }
    }
    for (int r = 0; r < many; ++r) {
      for (int o = 0; o < w_rows; ++o) sums[r][o] = sum_of_lanes(lane_sums[r][o]);
    }
  }

 private:
  static constexpr std::int64_t chunk = 64;  // blocks whose scales are in floats at once

  void read_scales(std::int64_t row, std::int64_t first, std::int64_t count, float* to) const {
    const std::uint16_t* const from = scales_ + row * blocks_ + first;
#pragma omp simd
    for (std::int64_t b = 0; b < count; ++b) to[b] = scale_of(from[b]);
  }

  // Adds the products of one block of row `o` of the tile. `next`: from this row to the next
  // tile's.
  template <int many, int w_rows>
  static void add_block(const std::uint8_t* block, std::int64_t next, float scale, const float* x,
                        std::int64_t x_stride, Floats (&lane_sums)[many][w_rows], int o) {
    constexpr int parts = Pack<std::int8_t>::parts;
    __builtin_prefetch(block + next);
    const Words bytes = load_vector<Words>(block);
    Floats weights[parts];
    for (int part = 0; part < parts; ++part) weights[part] = unpack<std::int8_t>(bytes, part);
    for (int r = 0; r < many; ++r) {
      const float* const x_block = x + r * x_stride;
      Floats sum = weights[0] * load_vector<Floats>(x_block);
      for (int part = 1; part < parts; ++part) {
        sum += weights[part] * load_vector<Floats>(x_block + part * lanes);
      }
      lane_sums[r][o] += sum * scale;
    }
  }

  const std::uint8_t* integers_;
  const std::uint16_t* scales_;
  std::int64_t rows_, blocks_;
};

// f(weight) with `w` as these instructions multiply it.
template <class F>
auto with_weight(const Int8Matrix& w, [[maybe_unused]] Instructions instructions, F&& f) {
#ifdef FATHOM_AVX512
  if (instructions == Instructions::avx512) return f(WideInt8Weight(w));
#endif
  return f(Int8Weight(w));
}

}  // namespace

void linear_int8(Context& context, Tensor x, const Int8Matrix& w, Tensor y) {
  linear_int8_with(widest_instructions(), context, x, w, y);
}

void linear_int8_with(Instructions instructions, Context& context, Tensor x, const Int8Matrix& w,
                      Tensor y) {
  const bool done = with_weight(w, instructions, [&](const auto& weight) {
    if (context.batch_invariance == BatchInvariance::off) {
      return multiply_if_few(context, x, weight, y, Accumulate::overwrite);
    }
    multiply_rows_in_parts(context, x, weight, y, Accumulate::overwrite);
    return true;
  });
  if (done || linear_int8_in_bf16(context, x, w, y)) return;
  gemm(context, {x}, {w.integers, true, w.scales}, y, Accumulate::overwrite);
}

void embedding_int8(Context&, Tensor ids, const Int8Matrix& table, std::int64_t first_id,
                    Tensor y) {
  const std::int64_t rows = table.integers.rows(), d = y.cols();
  const std::int32_t* id = ids.as<std::int32_t>();
  dispatch_floating(y.dtype, [&]<class T>(T) {
    parallel_for(y.rows(), row_grain(d), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = id[i] - first_id;
        if (row >= 0 && row < rows) {
          read_int8_row(table, row, 0, d, row_of<T>(y, i));
        } else {
          std::fill_n(row_of<T>(y, i), d, T(0.0f));
        }
      }
    });
  });
}

}  // namespace fathom::ops::cpu
