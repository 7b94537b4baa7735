// A warp computes one feature of all rows: its lanes read the feature's weights 16 bytes at a
// time, several reads ahead, the first before the rows are there, and multiply them with the rows,
// which the block holds in shared memory.
#include "ops/cuda/skinny.h"

#include "ops/cuda/launch.h"

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
  start_next_kernel();
  const int lane = threadIdx.x % 32;
  const int feature = blockIdx.x * skinny_warps + threadIdx.x / 32;
  const __nv_bfloat16* const weights = w[min(feature, out - 1)];
  constexpr int step = 32 * width;
  int at = lane * width;
  uint4 words[reads_ahead];
  const auto read = [&](int from) {
#pragma unroll
    for (int r = 0; r < reads_ahead; ++r) {
      words[r] = __ldcs(reinterpret_cast<const uint4*>(weights + from + r * step));
    }
  };
  const bool long_rows = (reads_ahead - 1) * step + at < in;
  if (long_rows) read(at);
  wait_for_previous_kernel();
  for (int i = threadIdx.x * width; i < N * in; i += skinny_threads * width) {
    *reinterpret_cast<uint4*>(rows + i) =
        *reinterpret_cast<const uint4*>(x[i / in] + i % in);
  }
  __syncthreads();
  if (feature >= out) return;
  float sums[N] = {};
  const auto add = [&](const uint4& word, int from) {
    float a[width];
    load_pack(reinterpret_cast<const __nv_bfloat16*>(&word), a);
#pragma unroll
    for (int n = 0; n < N; ++n) {
      float b[width];
      load_pack(rows + n * in + from, b);
#pragma unroll
      for (int i = 0; i < width; ++i) sums[n] += a[i] * b[i];
    }
  };
  for (; at + (reads_ahead - 1) * step < in; at += reads_ahead * step) {
    uint4 now[reads_ahead];
#pragma unroll
    for (int r = 0; r < reads_ahead; ++r) now[r] = words[r];
    const int next = at + reads_ahead * step;
    if (next + (reads_ahead - 1) * step < in) read(next);
#pragma unroll
    for (int r = 0; r < reads_ahead; ++r) add(now[r], at + r * step);
  }
  for (; at < in; at += step) add(__ldcs(reinterpret_cast<const uint4*>(weights + at)), at);
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const float sum = warp_sum(sums[n]);
    if (lane == 0) y[n][feature] = from_float<Out>(sum);
  }
}

template <int N, class Out>
void multiply(const Context& context, Tensor x, Tensor w, Tensor y) {
  const int in = static_cast<int>(w.shape[1]), out = static_cast<int>(w.shape[0]);
  const std::size_t memory = static_cast<std::size_t>(N) * in * sizeof(__nv_bfloat16);
  allow_shared_memory(skinny_kernel<N, Out>, "linear");
  launch(context, skinny_kernel<N, Out>, blocks_for(out, skinny_warps), skinny_threads, memory,
         "linear", rows_of<const __nv_bfloat16>(x), rows_of<const __nv_bfloat16>(w),
         rows_of<Out>(y), in, out);
}

template <class Out>
void multiply_for(std::int64_t n, const Context& context, Tensor x, Tensor w, Tensor y) {
  switch (n) {
    case 1:
      return multiply<1, Out>(context, x, w, y);
    case 2:
      return multiply<2, Out>(context, x, w, y);
    case 3:
      return multiply<3, Out>(context, x, w, y);
    default:
      return multiply<4, Out>(context, x, w, y);
  }
}

}  // namespace

bool skinny_linear(Context& context, Tensor x, Tensor w, Tensor y) {
  constexpr std::int64_t most_shared = 96 << 10;  // bytes: two blocks a multiprocessor
  const std::int64_t n = x.rows(), in = w.shape[1];
  if (n < 1 || n > most_rows || x.dtype != DType::bf16 || n * in * 2 > most_shared) return false;
  if (!vectorizable<__nv_bfloat16>(x) || !vectorizable<__nv_bfloat16>(w)) return false;
  stream_of(context);  // makes its device the current one
  if (y.dtype == DType::bf16) {
    multiply_for<__nv_bfloat16>(n, context, x, w, y);
  } else {
    multiply_for<float>(n, context, x, w, y);
  }
  return true;
}

}  // namespace fathom::ops::cuda
