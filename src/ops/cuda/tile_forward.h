// The kernel behind attention_tiles.h: softmax(q kᵀ · scale) v for 64 queries of one
// head, over tiles of 64 keys with a running maximum and sum (FlashAttention-2, Dao,
// 2023). Each of 4 warps has 16 queries.
#pragma once

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/lse_order.h"
#include "ops/cuda/mma.h"

namespace fathom::ops::cuda {

inline constexpr int tile_rows = 64;
inline constexpr int tile_threads = 128;
inline constexpr int keys_in_tile = tile_rows;

// The queries of sequence s are rows [query_offsets[s], query_offsets[s + 1]), the last
// ones of their context. Packed: the context's keys are the same rows. Paged: they lie
// as PagedContext says.
struct ForwardTiles {
  Rows<const __nv_bfloat16> q, k, v;
  Rows<__nv_bfloat16> out;
  float* lse;  // null: not wanted
  LseOrder lse_order;
  const std::int32_t *query_offsets, *context_lengths;
  Rows<const std::int32_t> block_table;
  int page_size, heads_per_kv, tiles, least_queries;
  float scale;
};

// Maximum and sum of the two rows of scores that a lane has part of.
struct RowState {
  float maximum[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};  // this lane's part

  // Turns scores into exp(scores · scale − maximum); `keep` is what sums so far shrink by.
  template <int N>
  __device__ void update(float (&scores)[N][4], float scale_log2, float (&keep)[2]) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float next = maximum[r];
#pragma unroll
      for (int n = 0; n < N; ++n) {
        next = fmaxf(next, fmaxf(scores[n][2 * r], scores[n][2 * r + 1]));
      }
      next = fmaxf(next, __shfl_xor_sync(~0u, next, 1));
      next = fmaxf(next, __shfl_xor_sync(~0u, next, 2));
      // All masked so far: any finite number will do.
      const float base = next == -INFINITY ? 0.0f : next * scale_log2;
      keep[r] = exp2_of(maximum[r] * scale_log2 - base);
      maximum[r] = next;
      sum[r] *= keep[r];
#pragma unroll
      for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int i = 2 * r; i < 2 * r + 2; ++i) {
          scores[n][i] = exp2_of(scores[n][i] * scale_log2 - base);
          sum[r] += scores[n][i];
        }
      }
    }
  }
  __device__ void finish() {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      sum[r] += __shfl_xor_sync(~0u, sum[r], 1);
      sum[r] += __shfl_xor_sync(~0u, sum[r], 2);
    }
  }
};

// The A operand of numbers [16 k, 16 k + 16) from D's of 8 columns each.
template <int N>
__device__ void pack_a(unsigned (&a)[4], const float (&x)[N][4], int k) {
  a[0] = pack_bf16(x[2 * k][0], x[2 * k][1]);
  a[1] = pack_bf16(x[2 * k][2], x[2 * k][3]);
  a[2] = pack_bf16(x[2 * k + 1][0], x[2 * k + 1][1]);
  a[3] = pack_bf16(x[2 * k + 1][2], x[2 * k + 1][3]);
}

// Scores of 16 queries against a tile's keys.
template <int D, int N>
__device__ void multiply_keys(float (&scores)[N][4], const unsigned (&queries)[D / 16][4],
                              const Tile<D>& k) {
#pragma unroll
  for (int n = 0; n < N / 2; ++n) {
#pragma unroll
    for (int i = 0; i < D / 16; ++i) {
      unsigned b[4];
      k.load_b(b, 16 * n, i);
      mma(scores[2 * n], queries[i], b[0], b[1]);
      mma(scores[2 * n + 1], queries[i], b[2], b[3]);
    }
  }
}

// Hides what lies behind a query, and behind the last of the keys. `from`: the tile's
// first key; `position`: of the block's first query; `row`: of this lane's first.
template <int N>
__device__ void mask_keys(float (&scores)[N][4], int from, int position, int row, int keys) {
#pragma unroll
  for (int n = 0; n < N; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int t = from + 8 * n + threadIdx.x % 4 * 2 + i % 2;
      if (t > position + row + i / 2 * 8 || t >= keys) scores[n][i] = -INFINITY;
    }
  }
}

// sum [16, D] += x [16, 8 N], rounded, times rows [0, 8 N) of `b`.
template <int D, int N>
__device__ void add_product(float (&sum)[D / 8][4], const float (&x)[N][4], const Tile<D>& b) {
#pragma unroll
  for (int i = 0; i < N / 2; ++i) {
    unsigned left[4];
    pack_a(left, x, i);
#pragma unroll
    for (int n = 0; n < D / 16; ++n) {
      unsigned right[4];
      b.load_b_rows(right, 16 * i, n);
      mma(sum[2 * n], left, right[0], right[1]);
      mma(sum[2 * n + 1], left, right[2], right[3]);
    }
  }
}

// x's two rows of this lane times a factor each.
template <int N>
__device__ void scale_rows(float (&x)[N][4], const float (&factors)[2]) {
#pragma unroll
  for (int n = 0; n < N; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) x[n][i] *= factors[i / 2];
  }
}

// Rows `row` and `row` + 8, where they lie before `end`.
template <int D>
__device__ void write_output(const ForwardTiles& work, int row, int end, int head,
                             const float (&output)[D / 8][4], const RowState& state) {
  const int lane = threadIdx.x % 4;
#pragma unroll
  for (int r = 0; r < 2; ++r, row += 8) {
    if (row >= end) continue;
    const float factor = 1.0f / state.sum[r];
    __nv_bfloat16* const to = work.out[row] + head * D + lane * 2;
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      *reinterpret_cast<unsigned*>(to + 8 * n) =
          pack_bf16(output[n][2 * r] * factor, output[n][2 * r + 1] * factor);
    }
    if (work.lse && lane == 0) {
      work.lse[work.lse_order.at(row, head)] = state.maximum[r] * work.scale + logf(state.sum[r]);
    }
  }
}

// Where the keys and values of one sequence lie for the query heads that share a key head.
template <int D, bool Paged>
struct KeyRows {
  const ForwardTiles& work;
  int sequence, begin, keys;
  int column;  // of the key head

  // Begins to copy keys or values [from, from + keys_in_tile) to the tile; zeros behind the last.
  __device__ void fill(const Tile<D>& tile, const Rows<const __nv_bfloat16>& values,
                       int from) const {
    tile.fill(
        keys_in_tile, tile_threads,
        [&](int row) -> const __nv_bfloat16* {
          const int t = from + row;
          return t < keys ? values[row_of(t)] + column : nullptr;
        },
        values.data);
  }

 private:
  __device__ std::int64_t row_of(int t) const {
    if constexpr (Paged) {
      const std::int32_t* const table = work.block_table[sequence];
      return std::int64_t{table[t / work.page_size]} * work.page_size + t % work.page_size;
    } else {
      return begin + t;
    }
  }
};

template <int D, bool Paged>
__global__ void __launch_bounds__(tile_threads) forward_tile_kernel(ForwardTiles work) {
  const int sequence = static_cast<int>(blockIdx.x) / work.tiles, head = blockIdx.y;
  // The longest first, so that the last blocks to run are short.
  const int first = (work.tiles - 1 - static_cast<int>(blockIdx.x) % work.tiles) * tile_rows;
  const int begin = work.query_offsets[sequence];
  const int queries = work.query_offsets[sequence + 1] - begin;
  if (first >= queries || queries < work.least_queries) return;
  const int context = Paged ? work.context_lengths[sequence] : queries;
  const int position = context - queries + first;  // of the first query
  const int keys = min(context, position + tile_rows);

  extern __shared__ uint4 shared[];
  constexpr int pieces_of_tile = tile_rows * Tile<D>::pieces;
  const Tile<D> q{shared}, k{shared + pieces_of_tile}, v{shared + 2 * pieces_of_tile};
  const KeyRows<D, Paged> rows{work, sequence, begin, keys, head / work.heads_per_kv * D};
  q.fill(
      tile_rows, tile_threads,
      [&](int row) -> const __nv_bfloat16* {
        return first + row < queries ? work.q[begin + first + row] + head * D : nullptr;
      },
      work.q.data);
  rows.fill(k, work.k, 0);

  const int lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * 16;
  const float scale_log2 = work.scale * log2_of_e;
  unsigned queries_a[D / 16][4];
  float output[D / 8][4] = {};
  RowState state;
  for (int from = 0; from < keys; from += keys_in_tile) {
    wait_for_copies();
    __syncthreads();  // the keys are there, and nobody reads the last values any more
    rows.fill(v, work.v, from);
    if (from == 0) {
#pragma unroll
      for (int i = 0; i < D / 16; ++i) q.load_a(queries_a[i], warp_row, i);
    }
    float scores[keys_in_tile / 8][4] = {};
    multiply_keys<D>(scores, queries_a, k);
    if (from + keys_in_tile > position) {  // the diagonal, or the end
      mask_keys(scores, from, position, warp_row + lane / 4, keys);
    }
    float keep[2];
    state.update(scores, scale_log2, keep);
    scale_rows(output, keep);
    wait_for_copies();
    __syncthreads();  // the values are there, and nobody reads the keys any more
    if (from + keys_in_tile < keys) rows.fill(k, work.k, from + keys_in_tile);
    add_product<D>(output, scores, v);
  }

  state.finish();
  write_output<D>(work, begin + first + warp_row + lane / 4, begin + queries, head, output, state);
}

}  // namespace fathom::ops::cuda
