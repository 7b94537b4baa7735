// A warp computes one feature of all rows: its lanes read the feature's weights 16 bytes at a
// time, several reads ahead, and multiply them with the rows, which the block holds in shared
// memory.
#include "ops/cuda/skinny.h"

#include "ops/cuda/cuda_utils.h"

namespace fathom::ops::cuda {
namespace {

constexpr int skinny_threads = 256, skinny_warps = skinny_threads / 32;
constexpr int width = 8;        // bf16 of a read
constexpr int reads_ahead = 4;  // of a lane
constexpr int most_rows = 4;

template <int N, class Out>
__global__ void __launch_bounds__(skinny_threads)
    skinny_kernel(Rows<const __nv_bfloat16> x, Rows<const __nv_bfloat16> w, Rows<Out> y, int in,
                  int out) {
  extern __shared__ __align__(16) __nv_bfloat16 rows[];  // [N, in]
  for (int i = threadIdx.x * width; i < N * in; i += skinny_threads * width) {
    *reinterpret_cast<uint4*>(rows + i) =
        *reinterpret_cast<const uint4*>(x[i / in] + i % in);
  }
  __syncthreads();
  const int lane = threadIdx.x % 32;
  const int feature = blockIdx.x * skinny_warps + threadIdx.x / 32;
  if (feature >= out) return;
  const __nv_bfloat16* const weights = w[feature];
  float sums[N] = {};
  const auto add = [&](const uint4& word, int at) {
    float a[width];
    load_pack(reinterpret_cast<const __nv_bfloat16*>(&word), a);
#pragma unroll
    for (int n = 0; n < N; ++n) {
      float b[width];
      load_pack(rows + n * in + at, b);
#pragma unroll
      for (int i = 0; i < width; ++i) sums[n] += a[i] * b[i];
    }
  };
  constexpr int step = 32 * width;
  int at = lane * width;
  for (; at + (reads_ahead - 1) * step < in; at += reads_ahead * step) {
    uint4 words[reads_ahead];
#pragma unroll
    for (int r = 0; r < reads_ahead; ++r) {
      words[r] = __ldcs(reinterpret_cast<const uint4*>(weights + at + r * step));
    }
#pragma unroll
    for (int r = 0; r < reads_ahead; ++r) add(words[r], at + r * step);
  }
  for (; at < in; at += step) add(__ldcs(reinterpret_cast<const uint4*>(weights + at)), at);
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const float sum = warp_sum(sums[n]);
    if (lane == 0) y[n][feature] = from_float<Out>(sum);
  }
}

template <int N, class Out>
void launch(cudaStream_t stream, Tensor x, Tensor w, Tensor y) {
  const int in = static_cast<int>(w.shape[1]), out = static_cast<int>(w.shape[0]);
  const std::size_t memory = static_cast<std::size_t>(N) * in * sizeof(__nv_bfloat16);
  allow_shared_memory(skinny_kernel<N, Out>, "linear");
  skinny_kernel<N, Out><<<blocks_for(out, skinny_warps), skinny_threads, memory, stream>>>(
      rows_of<const __nv_bfloat16>(x), rows_of<const __nv_bfloat16>(w), rows_of<Out>(y), in, out);
  check_launch("linear");
}

template <class Out>
void launch_for(std::int64_t n, cudaStream_t stream, Tensor x, Tensor w, Tensor y) {
  switch (n) {
    case 1:
      return launch<1, Out>(stream, x, w, y);
    case 2:
      return launch<2, Out>(stream, x, w, y);
    case 3:
      return launch<3, Out>(stream, x, w, y);
    default:
      return launch<4, Out>(stream, x, w, y);
  }
}

}  // namespace

bool skinny_linear(Context& context, Tensor x, Tensor w, Tensor y) {
  constexpr std::int64_t most_shared = 96 << 10;  // bytes: two blocks a multiprocessor
  const std::int64_t n = x.rows(), in = w.shape[1];
  if (n < 1 || n > most_rows || x.dtype != DType::bf16 || n * in * 2 > most_shared) return false;
  if (!vectorizable<__nv_bfloat16>(x) || !vectorizable<__nv_bfloat16>(w)) return false;
  const cudaStream_t stream = stream_of(context);
  if (y.dtype == DType::bf16) {
    launch_for<__nv_bfloat16>(n, stream, x, w, y);
  } else {
    launch_for<float>(n, stream, x, w, y);
  }
  return true;
}

}  // namespace fathom::ops::cuda
