// Rotary position embedding: a thread rotates the same W pairs of several heads, so that it
// reads their angles once and has many rows' worth of bytes on their way.
#include <algorithm>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/rope.h"

namespace fathom::ops::cuda {
namespace {

constexpr int heads_at_once = 4;

// A block a row; blockDim.x is a multiple of packs_per_head. Five blocks of 128 threads have
// 80 KB on their way to a multiprocessor.
template <class T, int W>
__global__ void __launch_bounds__(W == 1 ? 1024 : 128, W == 1 ? 1 : 5)
    rope_kernel(Rows<T> x, const std::int32_t* positions, Rows<const float> table,
                int packs_per_head, int packs_per_row, float direction) {
  const std::int64_t row = blockIdx.x;
  const int half = packs_per_head * W;
  const int i = threadIdx.x % packs_per_head * W;
  T* const at = x[row] + threadIdx.x / packs_per_head * 2 * half + i;
  const int heads_apart = static_cast<int>(blockDim.x) / packs_per_head * 2 * half;
  const float* const angles = table[positions[row]] + i;
  float cosine[W], sine[W];
  load_pack(angles, cosine);
  load_pack(angles + half, sine);
  int pack = threadIdx.x;
#pragma unroll 1
  for (T* head = at; pack < packs_per_row; head += heads_at_once * heads_apart) {
    T low[heads_at_once][W], high[heads_at_once][W];
#pragma unroll
    for (int h = 0; h < heads_at_once; ++h) {
      if (pack + h * static_cast<int>(blockDim.x) >= packs_per_row) break;
      load_raw(head + h * heads_apart, low[h]);
      load_raw(head + h * heads_apart + half, high[h]);
    }
#pragma unroll
    for (int h = 0; h < heads_at_once; ++h, pack += blockDim.x) {
      if (pack >= packs_per_row) break;
      float a[W], b[W];
#pragma unroll
      for (int k = 0; k < W; ++k) {
        const float s = direction * sine[k];
        a[k] = to_float(low[h][k]) * cosine[k] - to_float(high[h][k]) * s;
        b[k] = to_float(high[h][k]) * cosine[k] + to_float(low[h][k]) * s;
      }
      store_pack(head + h * heads_apart, a);
      store_pack(head + h * heads_apart + half, b);
    }
  }
}

// Some 128, of whole heads.
unsigned threads_for(int packs_per_head, int packs_per_row) {
  return static_cast<unsigned>(
      std::min(packs_per_row, packs_per_head * std::max(1, 128 / packs_per_head)));
}

}  // namespace

void rope(Context& context, Tensor x, Tensor positions, Tensor table, RopeDirection direction) {
  if (x.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  const auto half = static_cast<int>(table.cols() / 2);
  dispatch_native(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto launch = [&](auto width) {
      constexpr int w = decltype(width)::value;
      const int packs_per_row = static_cast<int>(x.cols() / 2 / w);
      const unsigned threads = threads_for(half / w, packs_per_row);
      rope_kernel<T, w><<<static_cast<unsigned>(x.rows()), threads, 0, stream>>>(
          rows_of<T>(x), data_of<const std::int32_t>(positions), rows_of<const float>(table),
          half / w, packs_per_row, direction == RopeDirection::forward ? 1.0f : -1.0f);
    };
    if (half % full_width<T> == 0 && vectorizable<T>(x) && vectorizable<float>(table)) {
      launch(Width<full_width<T>>{});
    } else {
      launch(Width<1>{});
    }
  });
  check_launch("rope");
}

}  // namespace fathom::ops::cuda
