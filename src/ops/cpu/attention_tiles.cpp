#include "ops/cpu/attention_tiles.h"

#include <oneapi/dnnl/dnnl.h>

#include <cmath>
#include <limits>

#include "core/error.h"

namespace fathom::ops::cpu {
namespace {

constexpr char as_stored = 'N', transposed = 'T';

void sgemm(char a_order, char b_order, std::int64_t inner, Tile a, Tile b, float beta, Tile c) {
  const dnnl_status_t status = dnnl_sgemm(a_order, b_order, c.rows, c.cols, inner, 1.0f, a.data,
                                          a.stride, b.data, b.stride, beta, c.data, c.stride);
  if (status != dnnl_success) {
    fail_runtime("attention: oneDNN refused a product of [{}, {}] tiles over {} (status {})",
                 c.rows, c.cols, inner, static_cast<int>(status));
  }
}

float max_of(const float* x, std::int64_t n) {
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

// x = exp(x − shift); returns the sum.
float exp_minus(float* x, std::int64_t n, float shift) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    x[i] = exp_of(x[i] - shift);
    sum += x[i];
  }
  return sum;
}

}  // namespace

void fail_small_workspace(std::size_t bytes, std::size_t room) {
  fail_runtime(
      "attention needs {} bytes of workspace for a thread, and {} are left: the Context was made "
      "for less",
      bytes, room);
}

std::size_t attention_workspace(DType dtype, const HeadShape& heads,
                                const AttentionBounds& bounds) {
  return std::max(forward_workspace(dtype, heads),
                  backward_workspace(dtype, heads, bounds.max_length));
}

void multiply_transposed(Tile a, Tile b, Tile c) {
  sgemm(as_stored, transposed, a.cols, a, b, 0, c);
}
void add_product(Tile a, Tile b, Tile c) {
  sgemm(as_stored, as_stored, a.cols, a, b, 1, c);
}
void add_transposed_product(Tile a, Tile b, Tile c) {
  sgemm(transposed, as_stored, a.rows, a, b, 1, c);
}

void load_queries(const QueryTile& tile, Tensor x, std::int64_t head_dim, float scale, Tile to) {
  const std::int64_t width = tile.heads * head_dim;
  dispatch_floating(x.dtype, [&](auto type) {
    using T = decltype(type);
    for (std::int64_t t = 0; t < tile.tokens; ++t) {
      const T* from =
          x.as<T>() + (tile.first_token + t) * x.row_stride + tile.first_head * head_dim;
      float* row = to.data + t * width;
      for (std::int64_t i = 0; i < width; ++i) row[i] = load(from[i]) * scale;
    }
  });
}

void store_queries(const QueryTile& tile, Tile from, float scale, Tensor x) {
  const std::int64_t width = tile.heads * from.cols;
  dispatch_floating(x.dtype, [&](auto type) {
    using T = decltype(type);
    for (std::int64_t t = 0; t < tile.tokens; ++t) {
      T* to = x.as<T>() + (tile.first_token + t) * x.row_stride + tile.first_head * from.cols;
      const float* row = from.data + t * width;
      for (std::int64_t i = 0; i < width; ++i) store(to[i], row[i] * scale);
    }
  });
}

Tile rows_in_f32(Tensor x, std::int64_t begin, std::int64_t count, std::int64_t head,
                 std::int64_t head_dim, float* scratch) {
  const std::int64_t offset = begin * x.row_stride + head * head_dim;
  if (x.dtype == DType::f32) return {x.as<float>() + offset, count, head_dim, x.row_stride};
  const bfloat16* from = x.as<bfloat16>() + offset;
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t j = 0; j < head_dim; ++j) {
      scratch[i * head_dim + j] = load(from[i * x.row_stride + j]);
    }
  }
  return {scratch, count, head_dim, head_dim};
}

void reset(SoftmaxState& state) {
  const Tile& output = state.output;
  std::fill_n(state.max, output.rows, -std::numeric_limits<float>::infinity());
  std::fill_n(state.sum, output.rows, 0.0f);
  std::fill_n(output.data, output.rows * output.cols, 0.0f);
}

void softmax_step(const QueryTile& tile, std::int64_t first_key, Tile scores, SoftmaxState& state) {
  for (std::int64_t i = 0; i < scores.rows; ++i) {
    float* row = scores.row(i);
    const std::int64_t visible =
        std::clamp(tile.visible(i) - first_key, std::int64_t{0}, scores.cols);
    std::fill(row + visible, row + scores.cols, 0.0f);
    if (visible == 0) continue;
    const float max = std::max(state.max[i], max_of(row, visible));
    const float correction = std::exp(state.max[i] - max);
    state.sum[i] = state.sum[i] * correction + exp_minus(row, visible, max);
    state.max[i] = max;
    if (correction == 1.0f) continue;
    float* output = state.output.row(i);
    for (std::int64_t j = 0; j < state.output.cols; ++j) output[j] *= correction;
  }
}

}  // namespace fathom::ops::cpu
