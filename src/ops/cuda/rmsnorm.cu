// RMSNorm, a block a row: the row stays in registers between the pass that sums
// its squares and the one that scales it, so memory is read and written once.
#include <algorithm>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/rmsnorm.h"

namespace fathom::ops::cuda {
namespace {

// P packs of W elements a thread, `threads` apart.
template <class T, int W, int P>
__global__ void forward_kernel(Rows<const T> residual, Rows<const T> delta, const T* weight,
                               float epsilon, Rows<T> h, Rows<T> y, float* rstd, int cols) {
  const std::int64_t row = blockIdx.x;
  float x[P][W];
  float squares = 0;
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * blockDim.x + threadIdx.x) * W;
    if (col >= cols) break;
    load_pack(residual[row] + col, x[p]);
    if (delta.data) {
      float d[W];
      load_pack(delta[row] + col, d);
#pragma unroll
      for (int i = 0; i < W; ++i) x[p][i] = to_float(from_float<T>(x[p][i] + d[i]));
      if (h.data) store_pack(h[row] + col, x[p]);
    }
#pragma unroll
    for (int i = 0; i < W; ++i) squares += x[p][i] * x[p][i];
  }
  const float scale = rsqrtf(block_sum(squares) / cols + epsilon);
  if (threadIdx.x == 0) rstd[row] = scale;
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * blockDim.x + threadIdx.x) * W;
    if (col >= cols) break;
    float w[W];
    load_pack(weight + col, w);
#pragma unroll
    for (int i = 0; i < W; ++i) w[i] *= x[p][i] * scale;
    store_pack(y[row] + col, w);
  }
}

// Each block takes every gridDim.x-th row, keeps the sums of its columns of
// dweight in registers, and leaves them in row blockIdx.x of `partial`.
template <class T, int W, int P>
__global__ void backward_kernel(Rows<const T> dy, Rows<const T> h, const T* weight,
                                const float* rstd, bool add, Rows<T> dh, float* partial,
                                std::int64_t rows, int cols) {
  float dweight[P][W] = {};
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    float g[P][W], x[P][W];
    const float scale = rstd[row];
    float dot = 0;
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const int col = (p * blockDim.x + threadIdx.x) * W;
      if (col >= cols) break;
      float w[W];
      load_pack(dy[row] + col, g[p]);
      load_pack(h[row] + col, x[p]);
      load_pack(weight + col, w);
#pragma unroll
      for (int i = 0; i < W; ++i) {
        x[p][i] *= scale;
        dweight[p][i] += g[p][i] * x[p][i];
        g[p][i] *= w[i];
        dot += g[p][i] * x[p][i];
      }
    }
    const float mean = block_sum(dot) / cols;
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const int col = (p * blockDim.x + threadIdx.x) * W;
      if (col >= cols) break;
      float out[W] = {};
      if (add) load_pack(dh[row] + col, out);
#pragma unroll
      for (int i = 0; i < W; ++i) out[i] += scale * (g[p][i] - x[p][i] * mean);
      store_pack(dh[row] + col, out);
    }
  }
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * blockDim.x + threadIdx.x) * W;
    if (col >= cols) break;
    store_pack(partial + std::int64_t{blockIdx.x} * cols + col, dweight[p]);
  }
}

// dweight[col] += the sum of partial's rows: 32 columns a block, its 8 warps take
// every eighth row each.
__global__ void add_partial_kernel(const float* partial, int rows, int cols, float* dweight) {
  __shared__ float sums[8][32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int col = blockIdx.x * 32 + lane;
  float sum = 0;
  if (col < cols) {
    for (int row = warp; row < rows; row += 8) sum += partial[std::int64_t{row} * cols + col];
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || col >= cols) return;
  for (int i = 1; i < 8; ++i) sum += sums[i][lane];
  dweight[col] += sum;
}

// Calls f(packs a thread, threads) for rows of `packs` packs.
template <class F>
void with_packs(std::int64_t packs, F&& f) {
  const auto threads = [&](int per_thread) {
    return static_cast<unsigned>((packs + per_thread * 32 - 1) / (per_thread * 32) * 32);
  };
  if (packs <= 256) {
    f(Width<1>{}, threads(1));
  } else if (packs <= 1024) {
    f(Width<2>{}, threads(2));
  } else if (packs <= 8 * 1024) {
    f(Width<8>{}, threads(8));
  } else {
    fathom::cuda::check(cudaErrorInvalidValue, "RMSNorm of more than 8192 packs of a row");
  }
}

constexpr int backward_blocks = 4 * 132;  // on any GPU, for the same bits everywhere

}  // namespace

void add_rmsnorm(Context& context, Tensor residual, Tensor delta, Tensor weight, float epsilon,
                 Tensor h, Tensor y, Tensor rstd) {
  if (residual.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  const auto cols = static_cast<int>(residual.cols());
  dispatch_native(residual.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          constexpr int w = decltype(width)::value;
          with_packs(cols / w, [&](auto packs, unsigned threads) {
            forward_kernel<T, w, decltype(packs)::value>
                <<<static_cast<unsigned>(residual.rows()), threads, 0, stream>>>(
                    rows_of<const T>(residual), rows_of<const T>(delta), data_of<const T>(weight),
                    epsilon, rows_of<T>(h), rows_of<T>(y), data_of<float>(rstd), cols);
          });
        },
        residual, delta, weight, h, y);
  });
  check_launch("add_rmsnorm");
}

void add_rmsnorm_backward(Context& context, Tensor dy, Tensor h, Tensor weight, Tensor rstd,
                          Incoming incoming, Tensor dh, Tensor dweight) {
  if (dy.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  ArenaScope scope(context.workspace);
  const std::int64_t rows = dy.rows();
  const auto cols = static_cast<int>(dy.cols());
  const int blocks = static_cast<int>(std::min<std::int64_t>(rows, backward_blocks));
  const Tensor partial = context.workspace.take(DType::f32, {blocks, cols});
  dispatch_native(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          constexpr int w = decltype(width)::value;
          with_packs(cols / w, [&](auto packs, unsigned threads) {
            backward_kernel<T, w, decltype(packs)::value>
                <<<static_cast<unsigned>(blocks), threads, 0, stream>>>(
                    rows_of<const T>(dy), rows_of<const T>(h), data_of<const T>(weight),
                    data_of<float>(rstd), incoming == Incoming::add, rows_of<T>(dh),
                    data_of<float>(partial), rows, cols);
          });
        },
        dy, h, weight, dh);
  });
  check_launch("add_rmsnorm_backward");
  add_partial_kernel<<<blocks_for(cols, 32), 256, 0, stream>>>(data_of<float>(partial), blocks,
                                                               cols, data_of<float>(dweight));
  check_launch("add_rmsnorm_backward");
}

}  // namespace fathom::ops::cuda
