// RMSNorm, a block a row: the row stays in registers between the pass that sums
// its squares and the one that scales it, so memory is read and written once.
#include <algorithm>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/rmsnorm.h"

namespace fathom::ops::cuda {
namespace {

constexpr int max_backward_threads = 512;

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

// What a thread holds of a row of the backward's operands, as it is in memory.
template <class T, int W, int P>
struct BackwardRow {
  T dy[P][W], h[P][W], dh[P][W];
  float rstd = 0;

  __device__ void load(const Rows<const T>& from_dy, const Rows<const T>& from_h,
                       const Rows<T>& from_dh, const float* from_rstd, bool add, std::int64_t row,
                       int cols) {
    rstd = from_rstd[row];
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const int col = (p * blockDim.x + threadIdx.x) * W;
      if (col >= cols) break;
      load_raw(from_dy[row] + col, dy[p]);
      load_raw(from_h[row] + col, h[p]);
      if (add) load_raw(from_dh[row] + col, dh[p]);
    }
  }
};

// The sum over the block of one row's term. Rows take turns at two sets of partial
// sums, so that one barrier a row is enough.
__device__ float row_sum(float x, int turn) {
  __shared__ float partial[2][32];
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) partial[turn][threadIdx.x / 32] = x;
  __syncthreads();
  return warp_sum(threadIdx.x % 32 < blockDim.x / 32 ? partial[turn][threadIdx.x % 32] : 0.0f);
}

// Each block takes every gridDim.x-th row, keeps the sums of its columns of
// dweight in registers, and leaves them in row blockIdx.x of `partial`. The next row is
// on its way while this one is summed.
template <class T, int W, int P>
__global__ void __launch_bounds__(max_backward_threads, P == 1 ? 2 : 1)
    backward_kernel(Rows<const T> dy, Rows<const T> h, const T* weight, const float* rstd, bool add,
                    Rows<T> dh, float* partial, std::int64_t rows, int cols) {
  T w[P][W];
  float dweight[P][W] = {};
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * blockDim.x + threadIdx.x) * W;
    if (col < cols) load_raw(weight + col, w[p]);
  }
  BackwardRow<T, W, P> next;
  next.load(dy, h, dh, rstd, add, blockIdx.x, cols);
  int turn = 0;
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x, turn ^= 1) {
    const BackwardRow<T, W, P> now = next;
    if (row + gridDim.x < rows) next.load(dy, h, dh, rstd, add, row + gridDim.x, cols);
    float dot = 0;
#pragma unroll
    for (int p = 0; p < P; ++p) {
      if ((p * blockDim.x + threadIdx.x) * W >= cols) break;
#pragma unroll
      for (int i = 0; i < W; ++i) {
        const float g = to_float(now.dy[p][i]), x = to_float(now.h[p][i]) * now.rstd;
        dweight[p][i] += g * x;
        dot += g * to_float(w[p][i]) * x;
      }
    }
    const float mean = row_sum(dot, turn) / cols;
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const int col = (p * blockDim.x + threadIdx.x) * W;
      if (col >= cols) break;
      float out[W];
#pragma unroll
      for (int i = 0; i < W; ++i) {
        const float g = to_float(now.dy[p][i]) * to_float(w[p][i]);
        const float x = to_float(now.h[p][i]) * now.rstd;
        out[i] = (add ? to_float(now.dh[p][i]) : 0.0f) + now.rstd * (g - x * mean);
      }
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
void with_forward_packs(std::int64_t packs, F&& f) {
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

// The same for the backward, which keeps more of a row in registers.
template <class F>
void with_backward_packs(std::int64_t packs, F&& f) {
  const auto threads = [&](int per_thread) {
    return static_cast<unsigned>((packs + per_thread * 32 - 1) / (per_thread * 32) * 32);
  };
  if (packs <= max_backward_threads) {
    f(Width<1>{}, threads(1));
  } else if (packs <= 2 * max_backward_threads) {
    f(Width<2>{}, threads(2));
  } else if (packs <= 16 * max_backward_threads) {
    f(Width<16>{}, threads(16));
  } else {
    fathom::cuda::check(cudaErrorInvalidValue, "RMSNorm of more than 8192 packs of a row");
  }
}

// Of so many threads that two blocks of 512 fill a multiprocessor of an H100; on any
// GPU the same, for the same bits everywhere.
int backward_blocks(std::int64_t rows, unsigned threads) {
  return static_cast<int>(std::min<std::int64_t>(rows, 132 * 2 * 512 / threads));
}

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
          with_forward_packs(cols / w, [&](auto packs, unsigned threads) {
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
  const std::int64_t rows = dy.rows();
  const auto cols = static_cast<int>(dy.cols());
  const auto launch = [&](auto zero, auto width, auto packs, unsigned threads) {
    using T = decltype(zero);
    ArenaScope scope(context.workspace);
    const int blocks = backward_blocks(rows, threads);
    const Tensor partial = context.workspace.take(DType::f32, {blocks, cols});
    backward_kernel<T, decltype(width)::value, decltype(packs)::value>
        <<<static_cast<unsigned>(blocks), threads, 0, stream>>>(
            rows_of<const T>(dy), rows_of<const T>(h), data_of<const T>(weight),
            data_of<float>(rstd), incoming == Incoming::add, rows_of<T>(dh),
            data_of<float>(partial), rows, cols);
    check_launch("add_rmsnorm_backward");
    add_partial_kernel<<<blocks_for(cols, 32), 256, 0, stream>>>(data_of<float>(partial), blocks,
                                                                 cols, data_of<float>(dweight));
    check_launch("add_rmsnorm_backward");
  };
  dispatch_native(dy.dtype, [&](auto zero) {
    with_width<decltype(zero)>(
        [&](auto width) {
          with_backward_packs(cols / decltype(width)::value, [&](auto packs, unsigned threads) {
            launch(zero, width, packs, threads);
          });
        },
        dy, h, weight, dh);
  });
}

}  // namespace fathom::ops::cuda
