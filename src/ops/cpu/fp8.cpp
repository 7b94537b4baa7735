// FP8 on a CPU: numbers rounded as a GPU rounds them, and multiplied in f32.
#include "ops/fp8.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "core/parallel.h"
#include "ops/cpu/fp8_numbers.h"
#include "ops/cpu/gemm.h"
#include "ops/dispatch.h"

namespace fathom::ops::cpu {
namespace {

// Of an infinity or a NaN itself: the larger of the bits without a sign is the larger magnitude,
// and above all numbers where it is none.
template <class T>
float largest_magnitude(Tensor x) {
  const std::int64_t rows = x.rows(), cols = x.cols();
  std::uint32_t most = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* const values = x.as<const T>() + row * x.row_stride;
    for (std::int64_t col = 0; col < cols; ++col) {
      most = std::max(most,
                      std::bit_cast<std::uint32_t>(static_cast<float>(values[col])) & 0x7fffffffu);
    }
  }
  return std::bit_cast<float>(most);
}

template <class T>
void round_values(Tensor x, Fp8Format format, float inverse, Tensor values, Tensor transposed) {
  const std::int64_t rows = x.rows(), cols = x.cols();
  parallel_for(rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* const from = x.as<const T>() + row * x.row_stride;
      for (std::int64_t col = 0; col < cols; ++col) {
        const std::uint8_t bits = fp8_bits(static_cast<float>(from[col]) * inverse, format);
        if (values) values.as<std::uint8_t>()[row * cols + col] = bits;
        if (transposed) transposed.as<std::uint8_t>()[col * rows + row] = bits;
      }
    }
  });
}

// Rows and columns of a matrix.
struct Part {
  std::int64_t row, rows, col, cols;
};

// A part of a matrix in f32, as numbers times the scale.
Tensor decoded(Context& context, const Fp8Matrix& matrix, float scale, const Part& part) {
  const Tensor out = context.workspace.take(DType::f32, {part.rows, part.cols});
  std::array<float, 256> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = scale * fp8_value(static_cast<std::uint8_t>(i), matrix.format);
  }
  parallel_for(part.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::uint8_t* const bits = matrix.values.as<const std::uint8_t>() +
                                       (part.row + row) * matrix.values.cols() + part.col;
      float* const to = out.as<float>() + row * part.cols;
      for (std::int64_t col = 0; col < part.cols; ++col) to[col] = numbers[bits[col]];
    }
  });
  return out;
}

constexpr std::int64_t tile = 256, depth = 4096;  // 4 MiB an operand

// out [rows of x, rows of w], both at most a tile's, f32.
void multiply_tile(Context& context, const Fp8Matrix& x, const Fp8Matrix& w, std::int64_t row,
                   std::int64_t col, Accumulate accumulate, Tensor out) {
  const float scale = *x.scale.as<const float>() * *w.scale.as<const float>();
  const std::int64_t k = x.values.cols();
  for (std::int64_t begin = 0; begin < k; begin += depth) {
    const ArenaScope scope(context.workspace);
    const std::int64_t count = std::min(depth, k - begin);
    const Tensor a = decoded(context, x, 1.0f, {row, out.rows(), begin, count});
    const Tensor b = decoded(context, w, scale, {col, out.cols(), begin, count});
    gemm(context, {a}, {b, true}, out, begin == 0 ? accumulate : Accumulate::add);
  }
}

}  // namespace

void quantize_fp8(Context&, Tensor x, Fp8Format format, Tensor values, Tensor transposed,
                  Tensor scale) {
  dispatch_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const float most = largest_magnitude<T>(x);
    *scale.as<float>() = most / largest(format);
    // The inverse of a subnormal number is finite too.
    const float inverse =
        most > 0 ? std::min(largest(format) / most, std::numeric_limits<float>::max()) : 0.0f;
    round_values<T>(x, format, inverse, values, transposed);
  });
}

// Tiles of both operands, so that their f32 values fit the workspace.
void linear_fp8(Context& context, const Fp8Matrix& x, const Fp8Matrix& w, Tensor y, Fp8Role,
                Accumulate accumulate) {
  const std::int64_t n = x.values.rows(), m = w.values.rows();
  const Tensor all = y.view({n, m});
  for (std::int64_t row = 0; row < n; row += tile) {
    for (std::int64_t col = 0; col < m; col += tile) {
      const Tensor part =
          all.slice(row, std::min(tile, n - row)).columns(col, std::min(tile, m - col));
      if (y.dtype == DType::f32) {
        multiply_tile(context, x, w, row, col, accumulate, part);
      } else {
        const ArenaScope scope(context.workspace);
        const Tensor product = context.workspace.take(DType::f32, {part.rows(), part.cols()});
        multiply_tile(context, x, w, row, col, Accumulate::overwrite, product);
        convert(context, product, part);
      }
    }
  }
}

}  // namespace fathom::ops::cpu
