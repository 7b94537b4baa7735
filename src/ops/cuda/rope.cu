// Rotary position embedding: a thread rotates W pairs of one head.
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/rope.h"

namespace fathom::ops::cuda {
namespace {

template <class T, int W>
__global__ void rope_kernel(Rows<T> x, const std::int32_t* positions, Rows<const float> table,
                            int packs_per_head, int packs_per_row, float direction) {
  const int pack = blockIdx.y * blockDim.x + threadIdx.x;
  if (pack >= packs_per_row) return;
  const std::int64_t row = blockIdx.x;
  const int half = packs_per_head * W;
  const int head = pack / packs_per_head, i = pack % packs_per_head * W;
  T* const at = x[row] + head * 2 * half + i;
  const float* const angles = table[positions[row]] + i;
  float low[W], high[W], cosine[W], sine[W];
  load_pack(at, low);
  load_pack(at + half, high);
  load_pack(angles, cosine);
  load_pack(angles + half, sine);
#pragma unroll
  for (int k = 0; k < W; ++k) {
    const float a = low[k], b = high[k], s = direction * sine[k];
    low[k] = a * cosine[k] - b * s;
    high[k] = b * cosine[k] + a * s;
  }
  store_pack(at, low);
  store_pack(at + half, high);
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
      constexpr int threads = 256;
      const dim3 grid(static_cast<unsigned>(x.rows()), blocks_for(packs_per_row, threads));
      rope_kernel<T, w><<<grid, threads, 0, stream>>>(
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
