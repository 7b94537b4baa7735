// The kernel behind fixed_order_linear.h. An element of y is one chain of mma over k, 16 numbers
// after another, whatever the tile that its row and its feature are in. So the number of rows may
// decide the tile, which decides the speed, and not a bit of the result.
#pragma once

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/mma.h"

namespace fathom::ops::cuda {

inline constexpr int step_numbers = 64;  // of k, in shared memory at once

template <class Out>
struct FixedOrderWork {
  Rows<const __nv_bfloat16> x, w;  // [rows, in], [out, in]
  Rows<Out> y;                     // [rows, out]
  int rows, out, in;
  bool adds;   // to what y is
  bool pairs;  // two features of y can be written at once
};

// A block's part of y, and how its warps share it: WarpRows times WarpCols of them.
template <int BlockRows, int BlockFeatures, int WarpRows, int WarpCols, int Stages>
struct FixedOrderShape {
  static constexpr int rows = BlockRows, features = BlockFeatures, stages = Stages;
  static constexpr int warp_cols = WarpCols, threads = 32 * WarpRows * WarpCols;
  static constexpr int row_tiles = BlockRows / WarpRows / 16;          // of a warp
  static constexpr int feature_tiles = BlockFeatures / WarpCols / 16;  // likewise
  static constexpr int stage_pieces = (rows + features) * Tile<step_numbers>::pieces;
  static constexpr int shared_bytes = stages * stage_pieces * 16;
};
// The more rows, the more often a weight is used once it is read.
using FixedOrderFew = FixedOrderShape<16, 32, 1, 2, 8>;
using FixedOrderSome = FixedOrderShape<32, 32, 1, 2, 6>;
using FixedOrderMore = FixedOrderShape<64, 64, 2, 2, 4>;
using FixedOrderMany = FixedOrderShape<128, 128, 2, 2, 3>;

// Begins to copy numbers [at, at + step_numbers) of rows [first, first + Count); zeros outside.
template <int Count, int Threads>
__device__ void fill_step(const Tile<step_numbers>& tile, const Rows<const __nv_bfloat16>& from,
                          int first, int rows, int at, int width) {
  constexpr int pieces = Tile<step_numbers>::pieces;
#pragma unroll
  for (int i = threadIdx.x; i < Count * pieces; i += Threads) {
    const int row = i / pieces, piece = i % pieces, column = at + 8 * piece;
    const bool inside = first + row < rows && column < width;
    copy_async(tile.at(row, piece), inside ? from[first + row] + column : from.data, inside);
  }
}

// sums += x wᵀ over one step.
template <class Shape>
__device__ void multiply_step(float (&sums)[Shape::row_tiles][2 * Shape::feature_tiles][4],
                              const Tile<step_numbers>& x, const Tile<step_numbers>& w,
                              int warp_row, int warp_feature) {
#pragma unroll
  for (int k = 0; k < step_numbers / 16; ++k) {
    unsigned a[Shape::row_tiles][4];
#pragma unroll
    for (int m = 0; m < Shape::row_tiles; ++m) x.load_a(a[m], warp_row + 16 * m, k);
#pragma unroll
    for (int n = 0; n < Shape::feature_tiles; ++n) {
      unsigned b[4];
      w.load_b(b, warp_feature + 16 * n, k);
#pragma unroll
      for (int m = 0; m < Shape::row_tiles; ++m) {
        mma(sums[m][2 * n], a[m], b[0], b[1]);
        mma(sums[m][2 * n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

// Two neighbouring features of a row.
template <class Out>
__device__ void write_pair(const FixedOrderWork<Out>& work, int row, int feature, float first,
                           float second) {
  if (row >= work.rows || feature >= work.out) return;
  Out* const to = work.y[row] + feature;
  const bool both = feature + 1 < work.out;
  if (work.adds) {
    first += to_float(to[0]);
    if (both) second += to_float(to[1]);
  }
  if (both && work.pairs) {
    const float values[2] = {first, second};
    store_pack(to, values);
    return;
  }
  to[0] = from_float<Out>(first);
  if (both) to[1] = from_float<Out>(second);
}

template <class Shape, class Out>
__global__ void __launch_bounds__(Shape::threads) fixed_order_kernel(FixedOrderWork<Out> work) {
  extern __shared__ uint4 shared[];
  const int first_row = blockIdx.x * Shape::rows, first_feature = blockIdx.y * Shape::features;
  const int steps = (work.in + step_numbers - 1) / step_numbers;
  const auto x_tile = [&](int step) {
    return Tile<step_numbers>{shared + step % Shape::stages * Shape::stage_pieces};
  };
  const auto w_tile = [&](int step) {
    return Tile<step_numbers>{x_tile(step).data + Shape::rows * Tile<step_numbers>::pieces};
  };
  const auto fill = [&](int step) {
    if (step < steps) {
      const int at = step * step_numbers;
      fill_step<Shape::rows, Shape::threads>(x_tile(step), work.x, first_row, work.rows, at,
                                             work.in);
      fill_step<Shape::features, Shape::threads>(w_tile(step), work.w, first_feature, work.out, at,
                                                 work.in);
    }
    close_copy_group();  // empty behind the last step: there is one a step
  };
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int warp_row = warp / Shape::warp_cols * 16 * Shape::row_tiles;
  const int warp_feature = warp % Shape::warp_cols * 16 * Shape::feature_tiles;
  float sums[Shape::row_tiles][2 * Shape::feature_tiles][4] = {};
  for (int step = 0; step < Shape::stages - 1; ++step) fill(step);
  for (int step = 0; step < steps; ++step) {
    wait_for_copy_groups<Shape::stages - 2>();
    __syncthreads();  // the step is there, and nobody reads the one before any more
    fill(step + Shape::stages - 1);
    multiply_step<Shape>(sums, x_tile(step), w_tile(step), warp_row, warp_feature);
  }
#pragma unroll
  for (int m = 0; m < Shape::row_tiles; ++m) {
#pragma unroll
    for (int n = 0; n < 2 * Shape::feature_tiles; ++n) {
      const int row = first_row + warp_row + 16 * m + lane / 4;
      const int feature = first_feature + warp_feature + 8 * n + lane % 4 * 2;
      write_pair(work, row, feature, sums[m][n][0], sums[m][n][1]);
      write_pair(work, row + 8, feature, sums[m][n][2], sums[m][n][3]);
    }
  }
}

}  // namespace fathom::ops::cuda
