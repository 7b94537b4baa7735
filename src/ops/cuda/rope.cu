// Rotary position embedding, alone and on the way to the KV cache. Alone, a thread rotates the same W
// pairs of several heads, so that it reads their angles once and has many rows' worth of bytes on
// their way.
#include <algorithm>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/cuda/launch.h"
#include "ops/rope.h"

namespace fathom::ops::cuda {
namespace {

constexpr int heads_a_thread = 4;

// Turns W pairs (low, high) by their angles.
template <class T, int W>
__device__ inline void rotate(const T (&low)[W], const T (&high)[W], const float (&cosine)[W],
                              const float (&sine)[W], float direction, float (&a)[W],
                              float (&b)[W]) {
#pragma unroll
  for (int k = 0; k < W; ++k) {
    const float s = direction * sine[k];
    a[k] = to_float(low[k]) * cosine[k] - to_float(high[k]) * s;
    b[k] = to_float(high[k]) * cosine[k] + to_float(low[k]) * s;
  }
}

// A block takes heads_a_thread · blockDim.x packs of blockDim.y rows; blockDim.x is a multiple
// of packs_per_head. The heads are asked for before the angles, which have to wait for the
// position.
template <class T, int W>
__global__ void __launch_bounds__(W == 1 ? 1024 : 128, W == 1 ? 1 : 5)
    rope_kernel(Rows<T> x, std::int64_t rows, const std::int32_t* positions,
                Rows<const float> table, int packs_per_head, int packs_per_row, float direction) {
  start_next_kernel();
  wait_for_previous_kernel();
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  const int half = packs_per_head * W, apart = static_cast<int>(blockDim.x);
  const int first = blockIdx.y * heads_a_thread * apart + static_cast<int>(threadIdx.x);
  const int i = first % packs_per_head * W;
  T* const at = x[row] + first / packs_per_head * 2 * half + i;
  const int heads_apart = apart / packs_per_head * 2 * half;
  const std::int32_t position = positions[row];
  T low[heads_a_thread][W], high[heads_a_thread][W];
#pragma unroll
  for (int h = 0; h < heads_a_thread; ++h) {
    if (first + h * apart < packs_per_row) {
      load_raw(at + h * heads_apart, low[h]);
      load_raw(at + h * heads_apart + half, high[h]);
    }
  }
  float cosine[W], sine[W];
  load_pack(table[position] + i, cosine);
  load_pack(table[position] + i + half, sine);
#pragma unroll
  for (int h = 0; h < heads_a_thread; ++h) {
    if (first + h * apart >= packs_per_row) break;
    float a[W], b[W];
    rotate(low[h], high[h], cosine, sine, direction, a, b);
    store_pack(at + h * heads_apart, a);
    store_pack(at + h * heads_apart + half, b);
  }
}

// Where the rows of keys and values go.
template <class T>
struct CacheRows {
  Rows<T> k, v;
  const std::int32_t* slots;
};

constexpr int cache_threads = 128;

// Two packs a thread, half a head apart: of x to be rotated, or of v to be copied. A row has
// query_packs, then key_packs pairs of packs in x, and key_packs in v.
template <class T, int W>
__global__ void __launch_bounds__(cache_threads)
    rope_to_cache_kernel(Rows<T> x, Rows<const T> v, const std::int32_t* positions,
                         Rows<const float> table, CacheRows<T> cache, int packs_per_head,
                         int query_packs, int key_packs) {
  start_next_kernel();
  wait_for_previous_kernel();
  const std::int64_t row = blockIdx.x;
  const int pack = static_cast<int>(blockIdx.y * cache_threads + threadIdx.x);
  const int half = packs_per_head * W, i = pack % packs_per_head * W;
  const auto column = [&](int first) {
    return (pack - first) / packs_per_head * 2 * half + i;
  };
  const std::int32_t slot = cache.slots[row];
  T low[W], high[W];
  if (pack >= query_packs + key_packs) {
    const int from = column(query_packs + key_packs);
    if (pack >= query_packs + 2 * key_packs || slot < 0) return;
    load_raw(v[row] + from, low);
    load_raw(v[row] + from + half, high);
    store_raw(cache.v[slot] + from, low);
    store_raw(cache.v[slot] + from + half, high);
    return;
  }
  const bool is_key = pack >= query_packs;
  if (is_key && slot < 0) return;
  T* const at = x[row] + column(0);
  load_raw(at, low);
  load_raw(at + half, high);
  const float* const angles = table[positions[row]] + i;
  float cosine[W], sine[W], a[W], b[W];
  load_pack(angles, cosine);
  load_pack(angles + half, sine);
  rotate(low, high, cosine, sine, 1.0f, a, b);
  T* const to = is_key ? cache.k[slot] + column(query_packs) : at;
  store_pack(to, a);
  store_pack(to + half, b);
}

// Of a row whole heads, at most some 128 threads, and no more than it has work for; and as many
// rows as make 128 threads.
dim3 block_for(int packs_per_head, int packs_per_row) {
  constexpr int threads = 128;
  const int packs = std::min(threads, packs_per_row / heads_a_thread);
  const int x = packs_per_head * std::max(1, packs / packs_per_head);
  return {static_cast<unsigned>(x), static_cast<unsigned>(std::max(1, threads / x)), 1};
}

}  // namespace

void rope(Context& context, Tensor x, Tensor positions, Tensor table, RopeDirection direction) {
  if (x.elements() == 0) return;
  const auto half = static_cast<int>(table.cols() / 2);
  dispatch_native(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto turn = [&](auto width) {
      constexpr int w = decltype(width)::value;
      const int packs_per_row = static_cast<int>(x.cols() / 2 / w);
      const dim3 block = block_for(half / w, packs_per_row);
      const dim3 grid(blocks_for(x.rows(), block.y),
                      blocks_for(packs_per_row, heads_a_thread * block.x));
      launch(context, rope_kernel<T, w>, grid, block, 0, "rope", rows_of<T>(x), x.rows(),
             data_of<const std::int32_t>(positions), rows_of<const float>(table), half / w,
             packs_per_row, direction == RopeDirection::forward ? 1.0f : -1.0f);
    };
    if (half % full_width<T> == 0 && vectorizable<T>(x) && vectorizable<float>(table)) {
      turn(Width<full_width<T>>{});
    } else {
      turn(Width<1>{});
    }
  });
}

void rope_to_cache(Context& context, Tensor x, Tensor v, Tensor positions, Tensor table,
                   Tensor slots, Tensor k_cache, Tensor v_cache) {
  if (x.elements() == 0) return;
  const auto half = static_cast<int>(table.cols() / 2);
  dispatch_native(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto store = [&](auto width) {
      constexpr int w = decltype(width)::value;
      const auto key_packs = static_cast<int>(v.cols() / 2 / w);
      const auto query_packs = static_cast<int>(x.cols() / 2 / w) - key_packs;
      const dim3 grid(static_cast<unsigned>(x.rows()),
                      blocks_for(query_packs + 2 * key_packs, cache_threads));
      const CacheRows<T> cache{rows_of<T>(k_cache), rows_of<T>(v_cache),
                               data_of<const std::int32_t>(slots)};
      launch(context, rope_to_cache_kernel<T, w>, grid, cache_threads, 0, "rope_to_cache",
             rows_of<T>(x), rows_of<const T>(v), data_of<const std::int32_t>(positions),
             rows_of<const float>(table), cache, half / w, query_packs, key_packs);
    };
    if (half % full_width<T> == 0 && vectorizable<T>(x) && vectorizable<T>(v) &&
        vectorizable<T>(k_cache) && vectorizable<T>(v_cache) && vectorizable<float>(table)) {
      store(Width<full_width<T>>{});
    } else {
      store(Width<1>{});
    }
  });
}

}  // namespace fathom::ops::cuda
