// Rotary position embedding: a thread rotates the same W pairs of several heads, so that it
// reads their angles once and has many rows' worth of bytes on their way.
#include <algorithm>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/rope.h"

namespace fathom::ops::cuda {
namespace {

constexpr int heads_a_thread = 4;

// A block takes heads_a_thread · blockDim.x packs of blockDim.y rows; blockDim.x is a multiple
// of packs_per_head. The heads are asked for before the angles, which have to wait for the
// position.
template <class T, int W>
__global__ void __launch_bounds__(W == 1 ? 1024 : 128, W == 1 ? 1 : 5)
    rope_kernel(Rows<T> x, std::int64_t rows, const std::int32_t* positions,
                Rows<const float> table, int packs_per_head, int packs_per_row, float direction) {
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
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const float s = direction * sine[k];
      a[k] = to_float(low[h][k]) * cosine[k] - to_float(high[h][k]) * s;
      b[k] = to_float(high[h][k]) * cosine[k] + to_float(low[h][k]) * s;
    }
    store_pack(at + h * heads_apart, a);
    store_pack(at + h * heads_apart + half, b);
  }
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
  const cudaStream_t stream = stream_of(context);
  const auto half = static_cast<int>(table.cols() / 2);
  dispatch_native(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto launch = [&](auto width) {
      constexpr int w = decltype(width)::value;
      const int packs_per_row = static_cast<int>(x.cols() / 2 / w);
      const dim3 block = block_for(half / w, packs_per_row);
      const dim3 grid(blocks_for(x.rows(), block.y),
                      blocks_for(packs_per_row, heads_a_thread * block.x));
      rope_kernel<T, w><<<grid, block, 0, stream>>>(
          rows_of<T>(x), x.rows(), data_of<const std::int32_t>(positions),
          rows_of<const float>(table), half / w, packs_per_row,
          direction == RopeDirection::forward ? 1.0f : -1.0f);
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
