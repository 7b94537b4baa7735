// The kernels behind paged_decode.h. A block reads one split of a sequence's context
// for one key head, and computes all that looks at it: up to M (query token, query
// head) pairs at once. Groups of D / 8 threads take a key each, 4 at a time, with a
// softmax state of their own; groups are merged through shared memory, splits by a
// second kernel, both in a fixed order.
#pragma once

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernel_start.h"
#include "ops/cuda/mma.h"

namespace fathom::ops::cuda {

// Threads of a block: the more, where blocks are too few to keep the device busy.
inline constexpr int decode_threads = 128, most_decode_threads = 512;
inline constexpr int keys_at_once = 4;   // of a group, so that enough reads are under way
inline constexpr int least_split = 128;  // keys

struct DecodeWork {
  Rows<const __nv_bfloat16> q, k, v;
  Rows<__nv_bfloat16> out;
  const std::int32_t *query_offsets, *context_lengths;
  Rows<const std::int32_t> block_table;
  int page_size, heads_per_kv, num_heads, splits, most_queries;
  float scale_log2;
  // By (sequence, token, head, split), where there are several splits: the output, not
  // divided by the sum [..., D]; maximum and sum of the scores, in powers of 2.
  float* partial;
  float2* totals;

  __device__ std::int64_t part(int sequence, int token, int head) const {
    return ((std::int64_t{sequence} * most_queries + token) * num_heads + head) * splits;
  }
};

// The queries of a sequence, in rows; none where another kernel computes them.
struct DecodeQueries {
  int begin, count;
  __device__ DecodeQueries(const DecodeWork& work, int sequence) {
    begin = work.query_offsets[sequence];
    count = work.query_offsets[sequence + 1] - begin;
    if (count > work.most_queries) count = 0;
  }
};

template <int D>
__device__ float sum_over_group(float x) {
#pragma unroll
  for (int offset = D / 16; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
  return x;
}

// One pair's state in one thread: 8 numbers of the output.
struct DecodeState {
  float maximum = -INFINITY, sum = 0;
  float output[8] = {};

  __device__ void add(const float (&scores)[keys_at_once], const float (&v)[keys_at_once][8]) {
    float next = maximum;
#pragma unroll
    for (int u = 0; u < keys_at_once; ++u) next = fmaxf(next, scores[u]);
    if (next == -INFINITY) return;
    const float keep = exp2_of(maximum - next);
    maximum = next;
    sum *= keep;
#pragma unroll
    for (int i = 0; i < 8; ++i) output[i] *= keep;
#pragma unroll
    for (int u = 0; u < keys_at_once; ++u) {
      const float weight = exp2_of(scores[u] - next);
      sum += weight;
#pragma unroll
      for (int i = 0; i < 8; ++i) output[i] += weight * v[u][i];
    }
  }
};

// The groups' states of one pair as one: write(i, x, sum) for each i of the head, x not
// divided by the sum; returns maximum and sum. `memory`: (D + 2) shared floats a group.
template <int D, int Threads, class Write>
__device__ float2 merge_decode(const DecodeState& state, float* memory, Write&& write) {
  constexpr int lanes = D / 8, groups = Threads / lanes;
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes;
  float *const maxima = memory, *const sums = memory + groups, *const outputs = sums + groups;
  __syncthreads();  // nobody reads the pair before this one any more
  if (lane == 0) {
    maxima[group] = state.maximum;
    sums[group] = state.sum;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) outputs[group * D + lane * 8 + i] = state.output[i];
  __syncthreads();
  float maximum = -INFINITY, sum = 0;
  for (int g = 0; g < groups; ++g) maximum = fmaxf(maximum, maxima[g]);
  for (int g = 0; g < groups; ++g) {
    if (sums[g] > 0) sum += sums[g] * exp2_of(maxima[g] - maximum);
  }
  for (int i = threadIdx.x; i < D; i += Threads) {
    float total = 0;
    for (int g = 0; g < groups; ++g) {
      if (sums[g] > 0) total += outputs[g * D + i] * exp2_of(maxima[g] - maximum);
    }
    write(i, total, sum);
  }
  return {maximum, sum};
}

template <int D, int M, int Threads>
__global__ void __launch_bounds__(Threads) decode_kernel(DecodeWork work) {
  constexpr int lanes = D / 8, groups = Threads / lanes, step = groups * keys_at_once;
  const int sequence = blockIdx.x, kv_head = blockIdx.y, split = blockIdx.z;
  start_next_kernel();
  wait_for_previous_kernel();
  const DecodeQueries queries(work, sequence);
  if (queries.count == 0) return;
  const int context = work.context_lengths[sequence];
  const int per_split = max((context + work.splits - 1) / work.splits, least_split);
  const int begin = split * per_split, end = min(context, begin + per_split);
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes;
  const int column = kv_head * D + lane * 8;
  const std::int32_t* const table = work.block_table[sequence];
  const int pairs = queries.count * work.heads_per_kv;

  for (int first = 0; first < pairs; first += M) {
    float query[M][8];
    int limit[M];  // the keys that a pair sees
    DecodeState states[M];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      const int pair = min(first + m, pairs - 1), token = pair / work.heads_per_kv;
      const int head = kv_head * work.heads_per_kv + pair % work.heads_per_kv;
      load_pack(work.q[queries.begin + token] + head * D + lane * 8, query[m]);
#pragma unroll
      for (int i = 0; i < 8; ++i) query[m][i] *= work.scale_log2;
      limit[m] = min(end, context - (queries.count - 1 - token));
    }
    for (int from = begin; from < end; from += step) {
      float k[keys_at_once][8], v[keys_at_once][8];
#pragma unroll
      for (int u = 0; u < keys_at_once; ++u) {
        const int t = min(from + u * groups + group, end - 1);
        const std::int64_t row =
            std::int64_t{table[t / work.page_size]} * work.page_size + t % work.page_size;
        load_pack(work.k[row] + column, k[u]);
        load_pack(work.v[row] + column, v[u]);
      }
#pragma unroll
      for (int m = 0; m < M; ++m) {
        float scores[keys_at_once];
#pragma unroll
        for (int u = 0; u < keys_at_once; ++u) {
          float score = 0;
#pragma unroll
          for (int i = 0; i < 8; ++i) score += query[m][i] * k[u][i];
          score = sum_over_group<D>(score);
          scores[u] = from + u * groups + group < limit[m] ? score : -INFINITY;
        }
        states[m].add(scores, v);
      }
    }
    extern __shared__ float decode_memory[];
#pragma unroll
    for (int m = 0; m < M; ++m) {
      if (first + m >= pairs) break;  // for all threads alike
      const int token = (first + m) / work.heads_per_kv;
      const int head = kv_head * work.heads_per_kv + (first + m) % work.heads_per_kv;
      const std::int64_t at = work.part(sequence, token, head) + split;
      if (work.splits == 1) {
        __nv_bfloat16* const to = work.out[queries.begin + token] + head * D;
        merge_decode<D, Threads>(states[m], decode_memory, [&](int i, float x, float sum) {
          to[i] = from_float<__nv_bfloat16>(x / sum);
        });
        continue;
      }
      const float2 total = merge_decode<D, Threads>(
          states[m], decode_memory, [&](int i, float x, float) { work.partial[at * D + i] = x; });
      if (threadIdx.x == 0) work.totals[at] = total;
    }
  }
}

// The splits of each (token, head) as one. Blocks of D threads.
template <int D>
__global__ void __launch_bounds__(D) merge_splits_kernel(DecodeWork work) {
  start_next_kernel();
  wait_for_previous_kernel();
  const int sequence = static_cast<int>(blockIdx.x) / work.most_queries;
  const int token = static_cast<int>(blockIdx.x) % work.most_queries, head = blockIdx.y;
  const DecodeQueries queries(work, sequence);
  if (token >= queries.count) return;
  const std::int64_t at = work.part(sequence, token, head);
  const float2* const totals = work.totals + at;
  float maximum = -INFINITY, sum = 0, x = 0;
  for (int s = 0; s < work.splits; ++s) maximum = fmaxf(maximum, totals[s].x);
  for (int s = 0; s < work.splits; ++s) {
    if (!(totals[s].y > 0)) continue;
    const float weight = exp2_of(totals[s].x - maximum);
    sum += totals[s].y * weight;
    x += work.partial[(at + s) * D + threadIdx.x] * weight;
  }
  work.out[queries.begin + token][head * D + threadIdx.x] = from_float<__nv_bfloat16>(x / sum);
}

}  // namespace fathom::ops::cuda
