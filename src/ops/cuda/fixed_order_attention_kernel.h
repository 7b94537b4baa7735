// The kernels behind fixed_order_attention.h. A context is cut into splits of a fixed number of
// keys, counted from its first. A split's softmax goes over tiles of 64 keys on tensor cores; the
// splits' states are combined in their order. All of that is a row's own: the number of rows in a
// tile, and whether splits have blocks of their own or one block takes them in turn, change the
// speed and no bit.
//
// Multiply-adds are written out: a compiler that fused those of one kernel and not those of another
// would round them differently.
#pragma once

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/mma.h"
#include "ops/cuda/tile_forward.h"

namespace fathom::ops::cuda {

inline constexpr int fixed_split_keys = 4 * keys_in_tile;

struct FixedOrderAttention {
  Rows<const __nv_bfloat16> q, k, v;
  Rows<__nv_bfloat16> out;
  const std::int32_t *query_offsets, *context_lengths;
  Rows<const std::int32_t> block_table;
  int page_size, heads_per_kv, num_heads;
  int tiles;         // of a sequence's (query token, query head) pairs of a key head
  int most_queries;  // of a sequence
  float scale_log2;
  // By (row, head, split), where splits have blocks of their own: the output, not divided by the
  // sum [..., D]; maximum and sum of the scores. Null: a block takes all splits of its tile.
  int splits;
  float* partial;
  float2* totals;

  __device__ std::int64_t part(int row, int head) const {
    return (std::int64_t{row} * num_heads + head) * splits;
  }
};

// Maximum of the scores, not yet scaled, and sum of their exponentials.
struct FixedOrderTotal {
  float maximum = -INFINITY, sum = 0;
};

// What two states shrink by to be added.
struct FixedOrderFactors {
  float first, second;
};

// Adds the state of the keys that come next, which has some.
__device__ inline FixedOrderFactors add_split(FixedOrderTotal& total, FixedOrderTotal next,
                                              float scale_log2) {
  const float maximum = fmaxf(total.maximum, next.maximum);
  const FixedOrderFactors factors{exp2_of((total.maximum - maximum) * scale_log2),
                                  exp2_of((next.maximum - maximum) * scale_log2)};
  total.sum = fmaf(next.sum, factors.second, total.sum * factors.first);
  total.maximum = maximum;
  return factors;
}
__device__ inline float add_output(float total, float next, FixedOrderFactors factors) {
  return fmaf(next, factors.second, total * factors.first);
}

// The state of a split for the two rows of scores that a lane has part of.
template <int D>
struct FixedOrderSplit {
  FixedOrderTotal rows[2];  // sums: this lane's part until finish()
  float output[D / 8][4] = {};

  // Turns the scores of a tile into weights, and shrinks what there is so far.
  template <int N>
  __device__ void weigh(float (&scores)[N][4], float scale_log2) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float next = rows[r].maximum;
#pragma unroll
      for (int n = 0; n < N; ++n) {
        next = fmaxf(next, fmaxf(scores[n][2 * r], scores[n][2 * r + 1]));
      }
      next = fmaxf(next, __shfl_xor_sync(~0u, next, 1));
      next = fmaxf(next, __shfl_xor_sync(~0u, next, 2));
      // Nothing visible yet: any finite number will do.
      const float base = next == -INFINITY ? 0.0f : next;
      const float keep = exp2_of((rows[r].maximum - base) * scale_log2);
      rows[r].maximum = next;
      float sum = 0;
#pragma unroll
      for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int i = 2 * r; i < 2 * r + 2; ++i) {
          scores[n][i] = exp2_of((scores[n][i] - base) * scale_log2);
          sum += scores[n][i];
        }
      }
      rows[r].sum = fmaf(rows[r].sum, keep, sum);
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        output[n][2 * r] *= keep;
        output[n][2 * r + 1] *= keep;
      }
    }
  }
  __device__ void finish() {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      rows[r].sum += __shfl_xor_sync(~0u, rows[r].sum, 1);
      rows[r].sum += __shfl_xor_sync(~0u, rows[r].sum, 2);
    }
  }
};

// The (query token, query head) pairs of a tile.
struct FixedOrderPairs {
  int begin;                  // row of q of the sequence's first query
  int queries, heads_per_kv;  // of the sequence
  int first, end;             // pairs of the tile
  int first_head;             // of the key head
  int past;                   // tokens before the sequence's first query

  __device__ FixedOrderPairs(const FixedOrderAttention& work, int sequence, int kv_head, int tile,
                             int rows)
      : begin(work.query_offsets[sequence]),
        queries(work.query_offsets[sequence + 1] - begin),
        heads_per_kv(work.heads_per_kv),
        first(tile * rows),
        end(min(first + rows, queries * work.heads_per_kv)),
        first_head(kv_head * work.heads_per_kv),
        past(work.context_lengths[sequence] - queries) {}

  // Of the pair in this row of the tile.
  __device__ bool has(int row) const { return first + row < end; }
  __device__ int query(int row) const { return begin + (first + row) / heads_per_kv; }
  __device__ int head(int row) const { return first_head + (first + row) % heads_per_kv; }
  // Keys that it sees; none for a row without a pair.
  __device__ int keys(int row) const {
    return has(row) ? past + (first + row) / heads_per_kv + 1 : 0;
  }
  // The fewest and the most of the tile.
  __device__ int fewest() const { return past + first / heads_per_kv + 1; }
  __device__ int most() const { return past + (end - 1) / heads_per_kv + 1; }
};

// Begins to copy keys or values [from, from + keys_in_tile) of a context; zeros from `keys` on.
template <int D, int Threads>
__device__ void fill_keys(const FixedOrderAttention& work, const Tile<D>& tile,
                          const Rows<const __nv_bfloat16>& values, int sequence, int column,
                          int from, int keys) {
  const std::int32_t* const table = work.block_table[sequence];
  tile.fill(
      keys_in_tile, Threads,
      [&](int row) -> const __nv_bfloat16* {
        const int t = from + row;
        if (t >= keys) return nullptr;
        return values[std::int64_t{table[t / work.page_size]} * work.page_size +
                      t % work.page_size] +
               column;
      },
      values.data);
}

// Hides the keys behind a row's last. `limits`: of this lane's two rows.
template <int N>
__device__ void hide_keys(float (&scores)[N][4], int from, const int (&limits)[2]) {
#pragma unroll
  for (int n = 0; n < N; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int t = from + 8 * n + threadIdx.x % 4 * 2 + i % 2;
      if (t >= limits[i / 2]) scores[n][i] = -INFINITY;
    }
  }
}

// What a block's splits have come to, in shared memory: each thread reads and writes its own.
template <int D>
struct FixedOrderSums {
  FixedOrderTotal rows[2];
  float* output;  // [tile rows, D]

  __device__ void add(const FixedOrderSplit<D>& split, int row, float scale_log2) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      if (split.rows[r].sum == 0) continue;
      const bool is_first = rows[r].sum == 0;
      FixedOrderFactors factors{};
      if (is_first) {
        rows[r] = split.rows[r];
      } else {
        factors = add_split(rows[r], split.rows[r], scale_log2);
      }
      float* const to = output + (row + 8 * r) * D + threadIdx.x % 4 * 2;
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const float next = split.output[n][2 * r + i];
          to[8 * n + i] = is_first ? next : add_output(to[8 * n + i], next, factors);
        }
      }
    }
  }
  __device__ void write(const FixedOrderAttention& work, const FixedOrderPairs& pairs,
                        int row) const {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int at = row + 8 * r, column = threadIdx.x % 4 * 2;
      if (!pairs.has(at)) continue;
      const float factor = 1.0f / rows[r].sum;
      const float* const from = output + at * D + column;
      __nv_bfloat16* const to = work.out[pairs.query(at)] + pairs.head(at) * D + column;
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        *reinterpret_cast<unsigned*>(to + 8 * n) =
            pack_bf16(from[8 * n] * factor, from[8 * n + 1] * factor);
      }
    }
  }
};

template <int D>
__device__ void write_split(const FixedOrderAttention& work, const FixedOrderPairs& pairs, int row,
                            int number, const FixedOrderSplit<D>& split) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int at = row + 8 * r;
    if (!pairs.has(at)) continue;
    const std::int64_t part = work.part(pairs.query(at), pairs.head(at)) + number;
    float* const to = work.partial + part * D + threadIdx.x % 4 * 2;
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      to[8 * n] = split.output[n][2 * r];
      to[8 * n + 1] = split.output[n][2 * r + 1];
    }
    if (threadIdx.x % 4 == 0) work.totals[part] = {split.rows[r].maximum, split.rows[r].sum};
  }
}

// Bytes of shared memory: queries, keys, values, and the sums.
template <int D, int Warps>
constexpr int fixed_order_shared_bytes() {
  return Tile<D>::bytes_of(16 * Warps) + 2 * Tile<D>::bytes_of(keys_in_tile) +
         (16 * Warps * D) * static_cast<int>(sizeof(float));
}

// Blocks: (tiles of all sequences, key heads, splits). Each warp has 16 pairs.
template <int D, int Warps>
__global__ void __launch_bounds__(32 * Warps) fixed_order_tile_kernel(FixedOrderAttention work) {
  constexpr int rows = 16 * Warps, threads = 32 * Warps;
  const int sequence = static_cast<int>(blockIdx.x) / work.tiles, kv_head = blockIdx.y;
  const int tile = work.tiles - 1 - static_cast<int>(blockIdx.x) % work.tiles;  // longest first
  const FixedOrderPairs pairs(work, sequence, kv_head, tile, rows);
  if (pairs.first >= pairs.end) return;
  const int begin = work.partial ? static_cast<int>(blockIdx.z) * fixed_split_keys : 0;
  const int keys = work.partial ? min(pairs.most(), begin + fixed_split_keys) : pairs.most();
  if (begin >= keys) return;

  extern __shared__ uint4 shared[];
  const Tile<D> q{shared}, k{q.data + rows * Tile<D>::pieces},
      v{k.data + keys_in_tile * Tile<D>::pieces};
  q.fill(
      rows, threads,
      [&](int row) -> const __nv_bfloat16* {
        return pairs.has(row) ? work.q[pairs.query(row)] + pairs.head(row) * D : nullptr;
      },
      work.q.data);
  fill_keys<D, threads>(work, k, work.k, sequence, kv_head * D, begin, keys);

  const int warp_row = threadIdx.x / 32 * 16, row = warp_row + threadIdx.x % 32 / 4;
  const int limits[2] = {pairs.keys(row), pairs.keys(row + 8)};
  unsigned queries[D / 16][4];
  FixedOrderSums<D> sums;
  sums.output = reinterpret_cast<float*>(v.data + keys_in_tile * Tile<D>::pieces);
  FixedOrderSplit<D> split;
  for (int from = begin; from < keys; from += keys_in_tile) {
    wait_for_copies();
    __syncthreads();  // the keys are there, and nobody reads the last values any more
    fill_keys<D, threads>(work, v, work.v, sequence, kv_head * D, from, keys);
    if (from == begin) {
#pragma unroll
      for (int i = 0; i < D / 16; ++i) q.load_a(queries[i], warp_row, i);
    }
    float scores[keys_in_tile / 8][4] = {};
    multiply_keys<D>(scores, queries, k);
    if (from + keys_in_tile > pairs.fewest()) hide_keys(scores, from, limits);
    split.weigh(scores, work.scale_log2);
    wait_for_copies();
    __syncthreads();  // the values are there, and nobody reads the keys any more
    if (from + keys_in_tile < keys) {
      fill_keys<D, threads>(work, k, work.k, sequence, kv_head * D, from + keys_in_tile, keys);
    }
    add_product<D>(split.output, scores, v);
    const bool ends = (from + keys_in_tile) % fixed_split_keys == 0 || from + keys_in_tile >= keys;
    if (work.partial || !ends) continue;
    split.finish();
    sums.add(split, row, work.scale_log2);
    split = {};
  }
  if (!work.partial) return sums.write(work, pairs, row);
  split.finish();
  write_split(work, pairs, row, static_cast<int>(blockIdx.z), split);
}

// The splits of each (row, head) as one. Blocks: (most_queries of each sequence, heads), of D
// threads.
template <int D>
__global__ void __launch_bounds__(D) fixed_order_merge_kernel(FixedOrderAttention work) {
  const int sequence = static_cast<int>(blockIdx.x) / work.most_queries, head = blockIdx.y;
  const int query = static_cast<int>(blockIdx.x) % work.most_queries;
  const int begin = work.query_offsets[sequence];
  const int queries = work.query_offsets[sequence + 1] - begin;
  if (query >= queries) return;
  const int keys = work.context_lengths[sequence] - (queries - 1 - query);
  const std::int64_t part = work.part(begin + query, head);
  const auto total_of = [&](int s) {
    const float2 total = work.totals[part + s];
    return FixedOrderTotal{total.x, total.y};
  };
  FixedOrderTotal total = total_of(0);
  float x = work.partial[part * D + threadIdx.x];
  for (int s = 1; s * fixed_split_keys < keys; ++s) {
    const FixedOrderFactors factors = add_split(total, total_of(s), work.scale_log2);
    x = add_output(x, work.partial[(part + s) * D + threadIdx.x], factors);
  }
  work.out[begin + query][head * D + threadIdx.x] =
      from_float<__nv_bfloat16>(x * (1.0f / total.sum));
}

}  // namespace fathom::ops::cuda
