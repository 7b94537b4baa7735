// RMSNorm, a block a row: the row stays in registers between the pass that sums
// its squares and the one that scales it, so memory is read and written once.
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/rmsnorm.h"

namespace fathom::ops::cuda {
namespace {

// P packs of W elements a thread, `threads` apart.
template <class T, int W, int P>
__global__ void forward_kernel(Rows<const T> residual, Rows<const T> delta, const T* weight,
                               float epsilon, Rows<T> h, Rows<T> y, float* rstd, int cols) {
  const std::int64_t row = blockIdx.x;
  float x[P][W];
  float squares = 0;
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * blockDim.x + threadIdx.x) * W;
    if (col >= cols) break;
    load_pack(residual[row] + col, x[p]);
    if (delta.data) {
      float d[W];
      load_pack(delta[row] + col, d);
#pragma unroll
      for (int i = 0; i < W; ++i) x[p][i] = to_float(from_float<T>(x[p][i] + d[i]));
      if (h.data) store_pack(h[row] + col, x[p]);
    }
#pragma unroll
    for (int i = 0; i < W; ++i) squares += x[p][i] * x[p][i];
  }
  const float scale = rsqrtf(block_sum(squares) / cols + epsilon);
  if (threadIdx.x == 0) rstd[row] = scale;
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * blockDim.x + threadIdx.x) * W;
    if (col >= cols) break;
    float w[W];
    load_pack(weight + col, w);
#pragma unroll
    for (int i = 0; i < W; ++i) w[i] *= x[p][i] * scale;
    store_pack(y[row] + col, w);
  }
}

// Calls f(packs a thread, threads) for rows of `packs` packs.
template <class F>
void with_forward_packs(std::int64_t packs, F&& f) {
  const auto threads = [&](int per_thread) {
    return static_cast<unsigned>((packs + per_thread * 32 - 1) / (per_thread * 32) * 32);
  };
  if (packs <= 256) {
    f(Width<1>{}, threads(1));
  } else if (packs <= 1024) {
    f(Width<2>{}, threads(2));
  } else if (packs <= 8 * 1024) {
    f(Width<8>{}, threads(8));
  } else {
    fathom::cuda::check(cudaErrorInvalidValue, "RMSNorm of more than 8192 packs of a row");
  }
}

}  // namespace

void add_rmsnorm(Context& context, Tensor residual, Tensor delta, Tensor weight, float epsilon,
                 Tensor h, Tensor y, Tensor rstd) {
  if (residual.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  const auto cols = static_cast<int>(residual.cols());
  dispatch_native(residual.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          constexpr int w = decltype(width)::value;
          with_forward_packs(cols / w, [&](auto packs, unsigned threads) {
            forward_kernel<T, w, decltype(packs)::value>
                <<<static_cast<unsigned>(residual.rows()), threads, 0, stream>>>(
                    rows_of<const T>(residual), rows_of<const T>(delta), data_of<const T>(weight),
                    epsilon, rows_of<T>(h), rows_of<T>(y), data_of<float>(rstd), cols);
          });
        },
        residual, delta, weight, h, y);
  });
  check_launch("add_rmsnorm");
}

}  // namespace fathom::ops::cuda
