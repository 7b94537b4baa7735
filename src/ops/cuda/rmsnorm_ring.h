// The kernel of RMSNorm's backward, for rmsnorm_backward.cu and the benchmark that chooses
// among its variants. A column pack of a row belongs to one thread, and the rows that a
// block takes arrive in a ring of slots in shared memory, filled by each thread for itself:
// what is on its way costs no registers, and filling needs no barrier.
#pragma once

#include "ops/cuda/async_copy.h"
#include "ops/cuda/cuda_utils.h"

namespace fathom::ops::cuda {

template <class T>
struct RmsnormBackward {
  Rows<const T> dy, h;
  Rows<T> dh;
  const T* weight;
  const float* rstd;
  bool add;  // dh holds a gradient on entry
  std::int64_t rows;
  int cols;
  float* partial;  // [gridDim.x, cols]: each block's sums for dweight
};

// R rows are taken at a time, so that R sums over the block share a barrier; D such turns
// have slots.
template <class T, int R, int D>
class RmsnormRing {
 public:
  static constexpr int width = full_width<T>;
  static constexpr std::size_t bytes(unsigned threads) { return 16 * 3 * R * D * threads; }

  __device__ RmsnormRing(const RmsnormBackward<T>& call, uint4* slots)
      : call_(call), slots_(slots + threadIdx.x), col_(threadIdx.x * width) {}

  // Asks for the rows from `first`; rows and columns beyond the last are zeros.
  __device__ void request(std::int64_t first, int turn) const {
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const bool inside = first + r < call_.rows && col_ < call_.cols;
      const std::int64_t row = inside ? first + r : 0;
      const int col = inside ? col_ : 0;
      copy_async(slot(turn, r, 0), call_.dy[row] + col, inside);
      copy_async(slot(turn, r, 1), call_.h[row] + col, inside);
      if (call_.add) copy_async(slot(turn, r, 2), call_.dh[row] + col, inside);
    }
    close_copy_group();
  }
  // The oldest turn's rows are there.
  __device__ void wait() const {
    wait_for_copy_groups<D - 1>();
  }

  __device__ void load(int turn, int r, int operand, float (&x)[width]) const {
    load_pack(reinterpret_cast<const T*>(slot(turn, r, operand)), x);
  }

 private:
  __device__ uint4* slot(int turn, int r, int operand) const {
    return slots_ + ((turn % D * R + r) * 3 + operand) * blockDim.x;
  }

  const RmsnormBackward<T>& call_;
  uint4* slots_;
  int col_;
};

// The sums over the block of R rows' terms. Turns alternate between two sets of partial
// sums, so that one barrier a turn is enough.
template <int R>
__device__ void row_sums(float (&x)[R], int turn) {
  __shared__ float partial[2][R][32];
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
  for (int r = 0; r < R; ++r) {
    x[r] = warp_sum(x[r]);
    if (lane == 0) partial[turn % 2][r][warp] = x[r];
  }
  __syncthreads();
#pragma unroll
  for (int r = 0; r < R; ++r) {
    x[r] = warp_sum(lane < blockDim.x / 32 ? partial[turn % 2][r][lane] : 0.0f);
  }
}

// Block b takes the rows from R · b on, R at a time and R · gridDim.x apart. A block
// covers a row: blockDim.x · width >= cols.
template <class T, int R, int D, int MaxThreads>
__global__ void __launch_bounds__(MaxThreads, 1024 / MaxThreads)
    rmsnorm_ring_kernel(const __grid_constant__ RmsnormBackward<T> call) {
  extern __shared__ uint4 slots[];
  using Ring = RmsnormRing<T, R, D>;
  constexpr int W = Ring::width;
  const Ring ring(call, slots);
  const std::int64_t step = std::int64_t{gridDim.x} * R;
  std::int64_t row = std::int64_t{blockIdx.x} * R;
#pragma unroll
  for (int turn = 0; turn < D; ++turn) ring.request(row + turn * step, turn);
  float next_rstd[R];
  const auto load_rstd = [&](std::int64_t first) {
#pragma unroll
    for (int r = 0; r < R; ++r) next_rstd[r] = first + r < call.rows ? call.rstd[first + r] : 0.0f;
  };
  load_rstd(row);
  const int col = threadIdx.x * W;
  T w[W] = {};
  float dweight[W] = {};
  if (col < call.cols) load_raw(call.weight + col, w);

  for (int turn = 0; row < call.rows; row += step, ++turn) {
    float rstd[R], dot[R] = {};
#pragma unroll
    for (int r = 0; r < R; ++r) rstd[r] = next_rstd[r];
    load_rstd(row + step);
    ring.wait();
#pragma unroll
    for (int r = 0; r < R; ++r) {
      float dy[W], x[W];
      ring.load(turn, r, 0, dy);
      ring.load(turn, r, 1, x);
#pragma unroll
      for (int i = 0; i < W; ++i) {
        x[i] *= rstd[r];
        dweight[i] += dy[i] * x[i];
        dot[r] += dy[i] * to_float(w[i]) * x[i];
      }
    }
    row_sums(dot, turn);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      if (row + r >= call.rows || col >= call.cols) break;
      const float h_share = rstd[r] * rstd[r] * (dot[r] / call.cols);
      float dy[W], h[W], out[W] = {};
      ring.load(turn, r, 0, dy);
      ring.load(turn, r, 1, h);
      if (call.add) ring.load(turn, r, 2, out);
#pragma unroll
      for (int i = 0; i < W; ++i) out[i] += rstd[r] * (dy[i] * to_float(w[i])) - h_share * h[i];
      store_pack(call.dh[row + r] + col, out);
    }
    ring.request(row + D * step, turn);
  }
  if (col < call.cols)
    store_pack(call.partial + std::int64_t{blockIdx.x} * call.cols + col, dweight);
}

}  // namespace fathom::ops::cuda
