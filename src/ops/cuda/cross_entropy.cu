// Softmax cross-entropy in place, a block a row: one pass for the maximum and the
// sum, a second that turns the logits into their gradient. The row of 102400
// bf16 logits that the second reads is mostly still in the L2 cache.
#include "ops/cross_entropy.h"
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"

namespace fathom::ops::cuda {
namespace {

constexpr int threads = 1024;

// A maximum and the sum of exp(x − maximum), which combine in any grouping.
struct SoftmaxSum {
  float maximum = -INFINITY;
  float sum = 0;
};

__device__ SoftmaxSum combine(SoftmaxSum a, SoftmaxSum b) {
  const float maximum = fmaxf(a.maximum, b.maximum);
  if (maximum == -INFINITY) return {};
  return {maximum, a.sum * __expf(a.maximum - maximum) + b.sum * __expf(b.maximum - maximum)};
}

__device__ SoftmaxSum warp_combine(SoftmaxSum x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    const SoftmaxSum other{__shfl_xor_sync(~0u, x.maximum, offset),
                           __shfl_xor_sync(~0u, x.sum, offset)};
    x = combine(x, other);
  }
  return x;
}

__device__ SoftmaxSum block_combine(SoftmaxSum x) {
  __shared__ SoftmaxSum partial[threads / 32];
  x = warp_combine(x);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  return warp_combine(partial[threadIdx.x % 32]);
}

template <int W>
__device__ void accumulate(SoftmaxSum& total, const float (&x)[W]) {
  float maximum = x[0];
#pragma unroll
  for (int i = 1; i < W; ++i) maximum = fmaxf(maximum, x[i]);
  if (maximum == -INFINITY) return;  // nothing to add, and −inf − −inf is NaN
  if (maximum > total.maximum) {
    total.sum *= __expf(total.maximum - maximum);
    total.maximum = maximum;
  }
#pragma unroll
  for (int i = 0; i < W; ++i) total.sum += __expf(x[i] - total.maximum);
}

template <class T, int W>
__global__ void __launch_bounds__(threads)
    cross_entropy_kernel(Rows<T> logits, const std::int32_t* targets, bool gradient, float scale,
                         float* losses, int cols) {
  const std::int64_t row = blockIdx.x;
  const int target = targets[row];
  T* const x = logits[row];
  if (target < 0) {
    if (threadIdx.x == 0) losses[row] = 0;
    if (!gradient) return;
    const float zero[W] = {};
    for (int col = threadIdx.x * W; col < cols; col += threads * W) store_pack(x + col, zero);
    return;
  }
  SoftmaxSum total;
#pragma unroll 4
  for (int col = threadIdx.x * W; col < cols; col += threads * W) {
    float v[W];
    load_pack(x + col, v);
    accumulate(total, v);
  }
  total = block_combine(total);
  if (threadIdx.x == 0) losses[row] = total.maximum + logf(total.sum) - to_float(x[target]);
  if (!gradient) return;
  __syncthreads();  // x[target] is read before it is overwritten
  const float factor = scale / total.sum;
#pragma unroll 4
  for (int col = threadIdx.x * W; col < cols; col += threads * W) {
    float v[W];
    load_pack(x + col, v);
#pragma unroll
    for (int i = 0; i < W; ++i) {
      v[i] = __expf(v[i] - total.maximum) * factor - (col + i == target ? scale : 0.0f);
    }
    store_pack(x + col, v);
  }
}

}  // namespace

void cross_entropy(Context& context, Tensor logits, Tensor targets, LogitsGradient gradient,
                   float grad_scale, Tensor losses) {
  if (logits.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  dispatch_native(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          cross_entropy_kernel<T, decltype(width)::value>
              <<<static_cast<unsigned>(logits.rows()), threads, 0, stream>>>(
                  rows_of<T>(logits), data_of<const std::int32_t>(targets),
                  gradient == LogitsGradient::overwrite, grad_scale, data_of<float>(losses),
                  static_cast<int>(logits.cols()));
        },
        logits);
  });
  check_launch("cross_entropy");
}

}  // namespace fathom::ops::cuda
