// The maximum of a row of logits and the sum of exponentials below it, of which the
// kernels of cross-entropy make losses and gradients.
#pragma once

#include "ops/cuda/cuda_utils.h"

namespace fathom::ops::cuda {

// A maximum and the sum of exp(x − maximum), which combine in any grouping.
struct SoftmaxSum {
  float maximum = -INFINITY;
  float sum = 0;
};

__device__ inline SoftmaxSum combine(SoftmaxSum a, SoftmaxSum b) {
  const float maximum = fmaxf(a.maximum, b.maximum);
  if (maximum == -INFINITY) return {};
  return {maximum, a.sum * __expf(a.maximum - maximum) + b.sum * __expf(b.maximum - maximum)};
}

__device__ inline SoftmaxSum warp_combine(SoftmaxSum x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    const SoftmaxSum other{__shfl_xor_sync(~0u, x.maximum, offset),
                           __shfl_xor_sync(~0u, x.sum, offset)};
    x = combine(x, other);
  }
  return x;
}

// Of the whole block, in every thread. To be called again after a barrier only.
__device__ inline SoftmaxSum block_combine(SoftmaxSum x) {
  __shared__ SoftmaxSum partial[32];
  x = warp_combine(x);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  const unsigned lane = threadIdx.x % 32;
  return warp_combine(lane < blockDim.x / 32 ? partial[lane] : SoftmaxSum{});
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

// The logits are subtracted first: their logarithm's few digits would drown in a
// maximum of thousands.
__device__ inline float loss_of(SoftmaxSum total, float logit) {
  return (total.maximum - logit) + logf(total.sum);
}

}  // namespace fathom::ops::cuda
