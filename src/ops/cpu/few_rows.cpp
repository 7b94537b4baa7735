#include "ops/cpu/few_rows.h"

#include <cmath>

#include "ops/cpu/few_rows_avx512.h"
#include "ops/cpu/few_rows_tiles.h"

namespace fathom::ops::cpu {
namespace {

template <class T>
class FloatingWeight {
 public:
  using Activation = float;
  using Packed = T;
  static constexpr int tile_rows = 4, x_rows = 3;  // 12 sums in registers

  explicit FloatingWeight(const Tensor& w) : w_(w) {}
  std::int64_t rows() const { return w_.rows(); }
  std::int64_t cols() const { return w_.cols(); }

  template <int many, int w_rows>
  void multiply(std::int64_t first, const float* x, std::int64_t x_stride,
                float (&sums)[many][w_rows]) const {
    constexpr int parts = Pack<T>::parts, values = Pack<T>::values;
    const T* const w = row_of<T>(w_, first);
    const std::int64_t whole = cols() / values * values;
    Floats lane_sums[many][w_rows] = {};
    for (std::int64_t i = 0; i < whole; i += values) {
      for (int o = 0; o < w_rows; ++o) {
        const T* const at = w + o * w_.row_stride + i;
        __builtin_prefetch(at + w_rows * w_.row_stride);  // of the next tile
        const Words bytes = load_vector<Words>(at);
        for (int part = 0; part < parts; ++part) {
          const Floats weights = unpack<T>(bytes, part);
          for (int r = 0; r < many; ++r) {
            lane_sums[r][o] += weights * load_vector<Floats>(x + r * x_stride + i + part * lanes);
          }
        }
      }
    }
    for (int r = 0; r < many; ++r) {
      for (int o = 0; o < w_rows; ++o) {
        // std::fma, for a compiler rounds `sum += a * b` once or twice as it sees fit, and each size
        // of `sums` by itself.
        sums[r][o] = sum_of_lanes(lane_sums[r][o]);
        for (std::int64_t i = whole; i < cols(); ++i) {
          sums[r][o] = std::fma(load(w[o * w_.row_stride + i]), x[r * x_stride + i], sums[r][o]);
        }
      }
    }
  }

 private:
  Tensor w_;
};

// f(weight) with `w` as these instructions multiply it.
template <class F>
auto with_weight(const Tensor& w, [[maybe_unused]] Instructions instructions, F&& f) {
#ifdef FATHOM_AVX512
  if (instructions == Instructions::avx512 && w.dtype == DType::bf16) return f(Bf16DotWeight(w));
#endif
  return dispatch_floating(w.dtype, [&]<class T>(T) { return f(FloatingWeight<T>(w)); });
}

}  // namespace

bool linear_of_few_rows(Context& context, Tensor x, Tensor w, Tensor y, Accumulate accumulate,
                        Instructions instructions) {
  return with_weight(w, instructions, [&](const auto& weight) {
    return multiply_if_few(context, x, weight, y, accumulate);
  });
}

void linear_of_rows(Context& context, Tensor x, Tensor w, Tensor y, Accumulate accumulate,
                    Instructions instructions) {
  with_weight(w, instructions, [&](const auto& weight) {
    multiply_rows_in_parts(context, x, weight, y, accumulate);
  });
}

}  // namespace fathom::ops::cpu
