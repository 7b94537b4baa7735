// The maximum of a row of logits and the sum of exponentials below it, of which the
// kernels of cross-entropy make losses and gradients.
//
// Exponentials are the limit of these kernels on a fast memory, so each is a fused
// multiply-add and an ex2: exp(x − m) = 2^(x · log2 e − m · log2 e). The second product is
// rounded, always the same way, so that its error cancels between sum, loss and gradient.
#pragma once

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/mma.h"

namespace fathom::ops::cuda {

// Sums of exp(x − maximum) combine in any grouping.
struct SoftmaxSum {
  float maximum = -INFINITY;
  float sum = 0;
};

// The shift of an exponent for a maximum. The compiler must not fuse it into a multiply-add.
__device__ inline float shift_of(float maximum) {
  return __fmul_rn(maximum, log2_of_e);
}
__device__ inline float exponential(float x, float shift) {
  return exp2_of(fmaf(x, log2_of_e, -shift));
}

__device__ inline SoftmaxSum combine(SoftmaxSum a, SoftmaxSum b) {
  const float maximum = fmaxf(a.maximum, b.maximum);
  if (maximum == -INFINITY) return {};
  const float shift = shift_of(maximum);
  return {maximum, a.sum * exp2_of(shift_of(a.maximum) - shift) +
                       b.sum * exp2_of(shift_of(b.maximum) - shift)};
}

__device__ inline SoftmaxSum warp_combine(SoftmaxSum x) {
  const float maximum = warp_max(x.maximum);
  if (maximum == -INFINITY) return {};
  return {maximum, warp_sum(x.sum * exp2_of(shift_of(x.maximum) - shift_of(maximum)))};
}

// Combines the sums of all threads of the block. Needs a barrier before the next call.
__device__ inline SoftmaxSum block_combine(SoftmaxSum x) {
  __shared__ SoftmaxSum partial[32];
  x = warp_combine(x);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  const unsigned lane = threadIdx.x % 32;
  return warp_combine(lane < blockDim.x / 32 ? partial[lane] : SoftmaxSum{});
}

// W logits as they are in memory, or as many of minus infinity.
template <class T, int W>
class LogitPack {
 public:
  __device__ void load(const T* from, bool inside) {
    if (inside) {
      load_raw(from, values_);
    } else {
#pragma unroll
      for (int i = 0; i < W; ++i) values_[i] = from_float<T>(-INFINITY);
    }
  }
  __device__ float operator[](int i) const {
    return to_float(values_[i]);
  }
  __device__ float maximum() const {
    if constexpr (sizeof(T) == 2 && W % 2 == 0) {
      __nv_bfloat162 most = __halves2bfloat162(values_[0], values_[1]);
#pragma unroll
      for (int i = 2; i < W; i += 2) {
        most = __hmax2(most, __halves2bfloat162(values_[i], values_[i + 1]));
      }
      return fmaxf(__low2float(most), __high2float(most));
    } else {
      float most = to_float(values_[0]);
#pragma unroll
      for (int i = 1; i < W; ++i) most = fmaxf(most, to_float(values_[i]));
      return most;
    }
  }

 private:
  T values_[W];
};

// Adds packs of logits to a sum.
template <int W, int Packs, class T>
__device__ void add_packs(SoftmaxSum& total, const LogitPack<T, W> (&packs)[Packs]) {
  float maximum = total.maximum;
#pragma unroll
  for (int p = 0; p < Packs; ++p) maximum = fmaxf(maximum, packs[p].maximum());
  if (maximum == -INFINITY) return;  // nothing to add, and −inf − −inf is NaN
  const float shift = shift_of(maximum);
  float sums[4] = {total.sum * exp2_of(shift_of(total.maximum) - shift), 0, 0, 0};
#pragma unroll
  for (int p = 0; p < Packs; ++p) {
#pragma unroll
    for (int i = 0; i < W; ++i) sums[(p + i) % 4] += exponential(packs[p][i], shift);
  }
  total = {maximum, (sums[0] + sums[1]) + (sums[2] + sums[3])};
}

// This thread's share of `count` logits: W at a time, `stride` apart.
template <int W, class T>
__device__ SoftmaxSum sum_of_thread(const T* logits, int count, int stride) {
  constexpr int at_once = 4;
  SoftmaxSum total;
  for (int col = threadIdx.x * W; col < count; col += at_once * stride) {
    LogitPack<T, W> packs[at_once];
#pragma unroll
    for (int p = 0; p < at_once; ++p) {
      packs[p].load(logits + col + p * stride, col + p * stride < count);
    }
    add_packs(total, packs);
  }
  return total;
}

// The factor of each row's loss in the gradient: a LossWeights that kernels can take.
struct RowScale {
  float scale;
  const float* per_row;  // null: all 1

  explicit RowScale(const LossWeights& weights)
      : scale(weights.scale),
        per_row(weights.per_token ? data_of<const float>(weights.per_token) : nullptr) {}
  __device__ float operator[](std::int64_t row) const {
    return per_row ? scale * per_row[row] : scale;
  }
};

// What turns a row's logits into their gradients: scale · (softmax − 1 at the target).
struct Gradient {
  float shift, factor, scale;
  int target;

  __device__ Gradient(SoftmaxSum total, float scale_, int target_)
      : shift(shift_of(total.maximum)),
        factor(scale_ / total.sum),
        scale(scale_),
        target(target_) {}

  // W logits from column `col` on.
  template <int W>
  __device__ void apply(float (&x)[W], int col) const {
#pragma unroll
    for (int i = 0; i < W; ++i) x[i] = exponential(x[i], shift) * factor;
    if (target >= col && target < col + W) {
#pragma unroll
      for (int i = 0; i < W; ++i) x[i] -= col + i == target ? scale : 0.0f;
    }
  }
};

// The gradients of `count` logits in their place.
template <int W, class T>
__device__ void write_gradient(T* logits, int count, int stride, const Gradient& gradient) {
#pragma unroll 4
  for (int col = threadIdx.x * W; col < count; col += stride) {
    float x[W];
    load_pack(logits + col, x);
    gradient.apply(x, col);
    store_pack(logits + col, x);
  }
}

// Where there is no target.
template <int W, class T>
__device__ void write_zeros(T* to, int count, int stride) {
  const float zeros[W] = {};
  for (int col = threadIdx.x * W; col < count; col += stride) store_pack(to + col, zeros);
}

__device__ inline float loss_of(SoftmaxSum total, float logit) {
  constexpr float log_of_2 = 0.693147181f;
  return logf(total.sum) - log_of_2 * fmaf(logit, log2_of_e, -shift_of(total.maximum));
}

}  // namespace fathom::ops::cuda
