// RMSNorm's backward of rows that a warp holds in a pack or two a lane: no barrier but at the
// end, and a multiprocessor has many rows. For rmsnorm_backward.cu.
#pragma once

#include "ops/cuda/rmsnorm_backward.h"

namespace fathom::ops::cuda {

inline constexpr int narrow_warps = 8;  // of a block

// A lane's packs of one row as they are in memory; undefined beyond its end, and not read there.
template <class T, int W, int P>
struct NarrowRow {
  T dy[P][W], h[P][W], dh[P][W];
  float rstd = 0;

  __device__ void load(const RmsnormBackward<T>& call, std::int64_t row, int lane) {
    if (row >= call.rows) return;
    rstd = call.rstd[row];
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const int col = (p * 32 + lane) * W;
      if (col >= call.cols) break;
      load_raw(call.dy[row] + col, dy[p]);
      load_raw(call.h[row] + col, h[p]);
      if (call.add) load_raw(call.dh[row] + col, dh[p]);
    }
  }
};

// Writes dh of a row, and adds its share of dweight.
template <class T, int W, int P>
__device__ void narrow_row(const RmsnormBackward<T>& call, const NarrowRow<T, W, P>& in,
                           std::int64_t row, int lane, const T (&weight)[P][W],
                           float (&dweight)[P][W]) {
  float dot = 0;
#pragma unroll
  for (int p = 0; p < P; ++p) {
    if ((p * 32 + lane) * W >= call.cols) break;
#pragma unroll
    for (int i = 0; i < W; ++i) {
      const float x = to_float(in.h[p][i]) * in.rstd, dy = to_float(in.dy[p][i]);
      dweight[p][i] += dy * x;
      dot += dy * to_float(weight[p][i]) * x;
    }
  }
  const float h_share = in.rstd * in.rstd * (warp_sum(dot) / call.cols);
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * 32 + lane) * W;
    if (col >= call.cols) break;
    float out[W];
#pragma unroll
    for (int i = 0; i < W; ++i) {
      out[i] = call.add ? to_float(in.dh[p][i]) : 0.0f;
      out[i] +=
          in.rstd * to_float(in.dy[p][i]) * to_float(weight[p][i]) - h_share * to_float(in.h[p][i]);
    }
    store_pack(call.dh[row] + col, out);
  }
}

// Adds up the warps' dweight, into the block's row of partial sums. shared: [narrow_warps, cols].
template <int W, int P, class T>
__device__ void add_warps(const RmsnormBackward<T>& call, float* shared, int warp, int lane,
                          const float (&dweight)[P][W]) {
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * 32 + lane) * W;
    if (col < call.cols) store_pack(shared + warp * call.cols + col, dweight[p]);
  }
  __syncthreads();
  for (int col = threadIdx.x; col < call.cols; col += 32 * narrow_warps) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < narrow_warps; ++w) sum += shared[w * call.cols + col];
    call.partial[std::int64_t{blockIdx.x} * call.cols + col] = sum;
  }
}

// A warp takes every (gridDim.x · narrow_warps)-th row; its next one is on its way meanwhile.
template <class T, int P>
__global__ void __launch_bounds__(32 * narrow_warps)
    narrow_kernel(const __grid_constant__ RmsnormBackward<T> call) {
  constexpr int W = full_width<T>;
  extern __shared__ float warp_sums[];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const std::int64_t step = std::int64_t{gridDim.x} * narrow_warps;
  std::int64_t row = std::int64_t{blockIdx.x} * narrow_warps + warp;
  T weight[P][W];
  float dweight[P][W] = {};
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * 32 + lane) * W;
    if (col < call.cols) load_raw(call.weight + col, weight[p]);
  }
  NarrowRow<T, W, P> next;
  next.load(call, row, lane);
  for (; row < call.rows; row += step) {
    const NarrowRow<T, W, P> now = next;
    next.load(call, row + step, lane);
    narrow_row(call, now, row, lane, weight, dweight);
  }
  add_warps(call, warp_sums, warp, lane, dweight);
}

}  // namespace fathom::ops::cuda
