// The kernels behind attention_tiles_backward, in tiles and by tensor cores, each sum in
// a fixed order. With P = softmax(S), dP = dO Vᵀ and D = rowsum(dO ∘ O):
//   dS = P ∘ (dP − D),  dQ = scale · dS K,  dK = scale · dSᵀ Q,  dV = Pᵀ dO
// A first kernel has 64 queries of a head, and goes over the keys for dQ; a second has 64
// keys of a key head, and goes over the queries for dK and dV with all products
// transposed, so that what one leaves in registers is what the next wants there.
#pragma once

#include "ops/cuda/tile_forward.h"

namespace fathom::ops::cuda {

inline constexpr int step_rows = 32;  // of the other side, at once

struct BackwardTiles {
  Rows<const __nv_bfloat16> q, k, v, out, dout;
  Rows<__nv_bfloat16> dq, dk, dv;
  const float* lse;
  LseOrder lse_order;
  float* row_dots;  // D [num_heads, rows]: written by the first kernel
  std::int64_t rows;
  const std::int32_t* offsets;
  int heads_per_kv, tiles;
  float scale;
};

// One segment, and this block's tile of it.
struct TilePlace {
  int begin, length, first;
  __device__ TilePlace(const BackwardTiles& work) {
    const int sequence = static_cast<int>(blockIdx.x) / work.tiles;
    begin = work.offsets[sequence];
    length = work.offsets[sequence + 1] - begin;
    first = static_cast<int>(blockIdx.x) % work.tiles * tile_rows;
  }
  __device__ bool empty() const { return first >= length; }

  // Starts to fill `count` rows of a tile from row `from` of the segment.
  template <int D>
  __device__ void fill(const Tile<D>& tile, int count, const Rows<const __nv_bfloat16>& rows,
                       int from, int column) const {
    tile.fill(
        count, tile_threads,
        [&](int row) -> const __nv_bfloat16* {
          return from + row < length ? rows[begin + from + row] + column : nullptr;
        },
        rows.data);
  }
};

// x [16, 8 N] of a warp = rows of `a` times the transpose of rows [0, 8 N) of `b`.
template <int D, int N>
__device__ void multiply(float (&x)[N][4], const Tile<D>& a, int row, const Tile<D>& b) {
#pragma unroll
  for (int n = 0; n < N; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) x[n][i] = 0;
  }
#pragma unroll
  for (int i = 0; i < D / 16; ++i) {
    unsigned left[4];
    a.load_a(left, row, i);
#pragma unroll
    for (int n = 0; n < N / 2; ++n) {
      unsigned right[4];
      b.load_b(right, 16 * n, i);
      mma(x[2 * n], left, right[0], right[1]);
      mma(x[2 * n + 1], left, right[2], right[3]);
    }
  }
}

template <int D>
__device__ void store_rows(const TilePlace& place, const Rows<__nv_bfloat16>& to, int column,
                           float factor, const float (&x)[D / 8][4]) {
  const int lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * 16;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = place.first + warp_row + lane / 4 + 8 * r;
    if (row >= place.length) continue;
    __nv_bfloat16* const at = to[place.begin + row] + column + lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      *reinterpret_cast<unsigned*>(at + 8 * n) =
          pack_bf16(x[n][2 * r] * factor, x[n][2 * r + 1] * factor);
    }
  }
}

// D of the two rows that a lane has part of; a quad of lanes shares the work.
template <int D>
__device__ void row_dots_of(const BackwardTiles& work, const TilePlace& place, int head,
                            float (&dots)[2]) {
  const int lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * 16;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = place.first + warp_row + lane / 4 + 8 * r;
    float sum = 0;
    if (row < place.length) {
      for (int i = lane % 4 * 8; i < D; i += 32) {
        float a[8], b[8];
        load_pack(work.out[place.begin + row] + head * D + i, a);
        load_pack(work.dout[place.begin + row] + head * D + i, b);
#pragma unroll
        for (int j = 0; j < 8; ++j) sum += a[j] * b[j];
      }
    }
    sum += __shfl_xor_sync(~0u, sum, 1);
    sum += __shfl_xor_sync(~0u, sum, 2);
    dots[r] = sum;
    if (row < place.length && lane % 4 == 0) {
      work.row_dots[head * work.rows + place.begin + row] = sum;
    }
  }
}

template <int D>
__global__ void __launch_bounds__(tile_threads) query_tile_kernel(BackwardTiles work) {
  constexpr int blocks = step_rows / 8;
  const TilePlace place(work);
  if (place.empty()) return;
  const int head = blockIdx.y, kv_column = head / work.heads_per_kv * D;
  extern __shared__ uint4 shared[];
  constexpr int tile = tile_rows * Tile<D>::pieces, step = step_rows * Tile<D>::pieces;
  const Tile<D> q{shared}, dout{shared + tile}, k{shared + 2 * tile}, v{shared + 2 * tile + step};
  place.fill(q, tile_rows, work.q, place.first, head * D);
  place.fill(dout, tile_rows, work.dout, place.first, head * D);

  const int lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * 16;
  float dots[2], lse[2];
  row_dots_of<D>(work, place, head, dots);
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = min(place.first + warp_row + lane / 4 + 8 * r, place.length - 1);
    lse[r] = work.lse[work.lse_order.at(place.begin + row, head)] * log2_of_e;
  }
  const float scale_log2 = work.scale * log2_of_e;
  float sum[D / 8][4] = {};
  const int keys = min(place.length, place.first + tile_rows);
  for (int from = 0; from < keys; from += step_rows) {
    place.fill(k, step_rows, work.k, from, kv_column);
    place.fill(v, step_rows, work.v, from, kv_column);
    wait_for_copies();
    __syncthreads();
    float s[blocks][4], dp[blocks][4];
    multiply(s, q, warp_row, k);
    multiply(dp, dout, warp_row, v);
#pragma unroll
    for (int n = 0; n < blocks; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = place.first + warp_row + lane / 4 + i / 2 * 8;
        const int key = from + 8 * n + lane % 4 * 2 + i % 2;
        const float p = key <= row ? exp2_of(s[n][i] * scale_log2 - lse[i / 2]) : 0.0f;
        s[n][i] = p * (dp[n][i] - dots[i / 2]);
      }
    }
    add_product<D>(sum, s, k);
    __syncthreads();  // before the next keys overwrite these
  }
  store_rows<D>(place, work.dq, head * D, work.scale, sum);
}

template <int D>
__global__ void __launch_bounds__(tile_threads) key_tile_kernel(BackwardTiles work) {
  constexpr int blocks = step_rows / 8;
  const TilePlace place(work);
  if (place.empty()) return;
  const int kv_column = blockIdx.y * D;
  extern __shared__ uint4 shared[];
  constexpr int tile = tile_rows * Tile<D>::pieces, step = step_rows * Tile<D>::pieces;
  const Tile<D> k{shared}, v{shared + tile}, q{shared + 2 * tile}, dout{shared + 2 * tile + step};
  place.fill(k, tile_rows, work.k, place.first, kv_column);
  place.fill(v, tile_rows, work.v, place.first, kv_column);

  const int lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * 16;
  const float scale_log2 = work.scale * log2_of_e;
  float dk[D / 8][4] = {}, dv[D / 8][4] = {};
  for (int h = 0; h < work.heads_per_kv; ++h) {
    const int head = static_cast<int>(blockIdx.y) * work.heads_per_kv + h;
    for (int from = place.first; from < place.length; from += step_rows) {
      place.fill(q, step_rows, work.q, from, head * D);
      place.fill(dout, step_rows, work.dout, from, head * D);
      float lse[blocks][2], dots[blocks][2];
#pragma unroll
      for (int n = 0; n < blocks; ++n) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int query = min(from + 8 * n + lane % 4 * 2 + i, place.length - 1);
          const std::int64_t row = place.begin + query;
          lse[n][i] = work.lse[work.lse_order.at(row, head)] * log2_of_e;
          dots[n][i] = work.row_dots[head * work.rows + row];
        }
      }
      wait_for_copies();
      __syncthreads();
      float s[blocks][4], ds[blocks][4];
      multiply(s, k, warp_row, q);
      multiply(ds, v, warp_row, dout);
#pragma unroll
      for (int n = 0; n < blocks; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int key = place.first + warp_row + lane / 4 + i / 2 * 8;
          const int query = from + 8 * n + lane % 4 * 2 + i % 2;
          const bool seen = key <= query && query < place.length;
          s[n][i] = seen ? exp2_of(s[n][i] * scale_log2 - lse[n][i % 2]) : 0.0f;
          ds[n][i] = s[n][i] * (ds[n][i] - dots[n][i % 2]);
        }
      }
      add_product<D>(dv, s, dout);
      add_product<D>(dk, ds, q);
      __syncthreads();  // before the next queries overwrite these
    }
  }
  store_rows<D>(place, work.dk, kv_column, work.scale, dk);
  store_rows<D>(place, work.dv, kv_column, 1.0f, dv);
}

}  // namespace fathom::ops::cuda
