// Softmax attention of one query row over any number of key rows, in f32: what
// the kernels of attention_rows.cu and paged_attention.cu share.
//
// A block works on one (query row, head). Groups of `lanes` threads each take
// every groups-th key and keep a softmax state of their own, which are merged
// through shared memory at the end, in a fixed order.
#pragma once

#include "ops/cuda/cuda_utils.h"

namespace fathom::ops::cuda {

inline constexpr int attend_threads = 128;
inline constexpr int max_head_dim = 256;

// Thread t of a group holds packs t, t + lanes, … of W elements, at most P.
struct HeadGroups {
  int head_dim;
  int lanes;  // a power of two up to 32
  __device__ int lane() const { return threadIdx.x % lanes; }
  __device__ int group() const { return threadIdx.x / lanes; }
  __device__ int count() const { return attend_threads / lanes; }
};

// Calls f(Width<W>, Width<P>, groups) for heads whose rows allow 16-byte packs or not.
template <class T, class F>
void with_head_groups(int head_dim, bool vectors, F&& f) {
  constexpr int full = full_width<T>;
  if (head_dim > max_head_dim) {
    fathom::cuda::check(cudaErrorInvalidValue, "attention heads wider than 256");
  }
  const int packs = vectors && head_dim % full == 0 ? head_dim / full : head_dim;
  int lanes = 1;
  while (lanes < 32 && lanes < packs) lanes *= 2;
  const HeadGroups groups{head_dim, lanes};
  if (packs * full == head_dim) {
    f(Width<full>{}, Width<max_head_dim / full / 32>{}, groups);
  } else {
    f(Width<1>{}, Width<max_head_dim / 32>{}, groups);
  }
}

template <int W, int P>
struct AttendState {
  float maximum = -INFINITY;
  float sum = 0;
  float output[P][W] = {};

  // Takes one more key with this score; `value` is its pack of the value row.
  template <class Load>
  __device__ void add(float score, Load&& load_value) {
    const float next = fmaxf(maximum, score);
    const float keep = __expf(maximum - next), weight = __expf(score - next);
    maximum = next;
    sum = sum * keep + weight;
#pragma unroll
    for (int p = 0; p < P; ++p) {
      float v[W] = {};
      load_value(p, v);
#pragma unroll
      for (int i = 0; i < W; ++i) output[p][i] = output[p][i] * keep + weight * v[i];
    }
  }
};

// Sums over the threads of a group, which may be part of a warp.
__device__ inline float group_sum(float x, int lanes) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
  return x;
}

// Loads the packs of a head's row that this thread holds; zero past its end.
template <int W, int P, class T>
__device__ void load_head(const T* row, const HeadGroups& groups, float (&x)[P][W]) {
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int at = (p * groups.lanes + groups.lane()) * W;
    if (at < groups.head_dim) {
      load_pack(row + at, x[p]);
    } else {
#pragma unroll
      for (int i = 0; i < W; ++i) x[p][i] = 0;
    }
  }
}

// The state of `q` over keys [begin, end); k(t) and v(t) are the rows of key t.
template <int W, int P, class K, class V>
__device__ AttendState<W, P> attend(const float (&q)[P][W], int begin, int end,
                                    const HeadGroups& groups, K&& k, V&& v) {
  AttendState<W, P> state;
  // All groups of a warp take part in every shuffle, also past the end.
  for (int first = begin; first < end; first += groups.count()) {
    const int key = first + groups.group();
    const bool inside = key < end;
    float row[P][W] = {};
    if (inside) load_head(k(key), groups, row);
    float score = 0;
#pragma unroll
    for (int p = 0; p < P; ++p) {
#pragma unroll
      for (int i = 0; i < W; ++i) score += q[p][i] * row[p][i];
    }
    score = group_sum(score, groups.lanes);
    if (!inside) continue;
    const auto* const value = v(key);
    state.add(score, [&](int p, float(&x)[W]) {
      const int at = (p * groups.lanes + groups.lane()) * W;
      if (at < groups.head_dim) load_pack(value + at, x);
    });
  }
  return state;
}

// Bytes of shared memory that merging needs.
inline std::size_t attend_shared_bytes(const HeadGroups& groups) {
  return static_cast<std::size_t>(attend_threads / groups.lanes) * (groups.head_dim + 2) *
         sizeof(float);
}

// Merges the groups' states. Calls write(i, x, sum) for each i of the head, where
// x is the output not yet divided by the sum; returns maximum and sum.
template <int W, int P, class Write>
__device__ float2 merge_groups(const AttendState<W, P>& state, const HeadGroups& groups,
                               Write&& write) {
  extern __shared__ float shared[];
  const int count = groups.count();
  float* const maxima = shared;
  float* const sums = shared + count;
  float* const outputs = shared + 2 * count;
  if (groups.lane() == 0) {
    maxima[groups.group()] = state.maximum;
    sums[groups.group()] = state.sum;
  }
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int at = (p * groups.lanes + groups.lane()) * W;
    if (at >= groups.head_dim) break;
#pragma unroll
    for (int i = 0; i < W; ++i) {
      outputs[groups.group() * groups.head_dim + at + i] = state.output[p][i];
    }
  }
  __syncthreads();
  float maximum = -INFINITY, sum = 0;
  for (int g = 0; g < count; ++g) maximum = fmaxf(maximum, maxima[g]);
  for (int g = 0; g < count; ++g) {
    if (sums[g] > 0) sum += sums[g] * __expf(maxima[g] - maximum);
  }
  for (int i = threadIdx.x; i < groups.head_dim; i += attend_threads) {
    float total = 0;
    for (int g = 0; g < count; ++g) {
      if (sums[g] > 0) total += outputs[g * groups.head_dim + i] * __expf(maxima[g] - maximum);
    }
    write(i, total, sum);
  }
  return {maximum, sum};
}

// The largest i with offsets[i] <= x, among count + 1 ascending offsets.
__device__ inline int segment_of(const std::int32_t* offsets, int count, int x) {
  int low = 0, high = count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (offsets[middle] <= x) {
      low = middle;
    } else {
      high = middle;
    }
  }
  // Repeated offsets are empty segments; the search ends on the last of them.
  return low;
}

}  // namespace fathom::ops::cuda
