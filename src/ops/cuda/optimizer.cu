// The optimizer's passes over memory: each reads and writes what it must once.
#include <algorithm>
#include <cmath>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/optimizer.h"

namespace fathom::ops::cuda {
namespace {

constexpr int threads = 256;
constexpr int sum_blocks = 1024;  // on any GPU, for the same bits everywhere

__global__ void sum_of_squares_kernel(const float* x, std::int64_t n, bool aligned,
                                      float* partial) {
  const std::int64_t stride = std::int64_t{gridDim.x} * threads;
  const std::int64_t thread = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const std::int64_t packs = aligned ? n / 4 : 0;
  float sum[4] = {};
#pragma unroll 4
  for (std::int64_t i = thread; i < packs; i += stride) {
    float v[4];
    load_pack(x + i * 4, v);
#pragma unroll
    for (int k = 0; k < 4; ++k) sum[k] += v[k] * v[k];
  }
  for (std::int64_t i = packs * 4 + thread; i < n; i += stride) sum[0] += x[i] * x[i];
  const float total = block_sum(sum[0] + sum[1] + (sum[2] + sum[3]));
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

__global__ void add_partial_kernel(const float* partial, int count, float* out) {
  float sum = 0;
  for (int i = threadIdx.x; i < count; i += threads) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *out += sum;
}

__global__ void clip_scale_kernel(const float* squares, float max_norm, float* norm, float* scale) {
  const float value = sqrtf(*squares);
  *norm = value;
  *scale = max_norm > 0 ? fminf(1.0f, max_norm / (value + 1e-6f)) : 1.0f;
  if (!isfinite(value)) *scale = NAN;  // AdamW skips the step
}

// What is the same for every parameter of a step.
struct AdamWFactors {
  float lr, beta1, beta2, epsilon, weight_decay;
  float bias1, bias2;  // 1 / (1 − βᵗ)
};

template <int W, class T>
__device__ void adamw_pack(const float* grad, float scale, const AdamWFactors& f, float* master,
                           float* m, float* v, T* weight) {
  float g[W], p[W], m1[W], m2[W];
  load_pack(grad, g);
  load_pack(master, p);
  load_pack(m, m1);
  load_pack(v, m2);
#pragma unroll
  for (int i = 0; i < W; ++i) {
    g[i] *= scale;
    m1[i] = f.beta1 * m1[i] + (1.0f - f.beta1) * g[i];
    m2[i] = f.beta2 * m2[i] + (1.0f - f.beta2) * g[i] * g[i];
    const float update = m1[i] * f.bias1 / (sqrtf(m2[i] * f.bias2) + f.epsilon);
    p[i] -= f.lr * (update + f.weight_decay * p[i]);
  }
  store_pack(m, m1);
  store_pack(v, m2);
  store_pack(master, p);
  store_pack(weight, p);
}

template <class T, int W>
__global__ void adamw_kernel(const float* grad, const float* scale, AdamWFactors factors,
                             float* master, float* m, float* v, T* weight, std::int64_t n) {
  const float s = *scale;
  if (!isfinite(s)) return;
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const std::int64_t packs = n / W;
  if (i < packs) {
    const std::int64_t at = i * W;
    adamw_pack<W>(grad + at, s, factors, master + at, m + at, v + at, weight + at);
  }
  const std::int64_t rest = packs * W + i;
  if (rest < n) {
    adamw_pack<1>(grad + rest, s, factors, master + rest, m + rest, v + rest, weight + rest);
  }
}

bool aligned(const Tensor& tensor, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(tensor.data) % bytes == 0;
}

}  // namespace

void add_sum_of_squares(Context& context, Tensor x, Tensor out) {
  const std::int64_t n = x.elements();
  if (n == 0) return;
  const cudaStream_t stream = stream_of(context);
  ArenaScope scope(context.workspace);
  const unsigned blocks = std::min<unsigned>(sum_blocks, blocks_for(n, threads * 4));
  const Tensor partial = context.workspace.take(DType::f32, {blocks});
  sum_of_squares_kernel<<<blocks, threads, 0, stream>>>(data_of<const float>(x), n, aligned(x, 16),
                                                        data_of<float>(partial));
  add_partial_kernel<<<1, threads, 0, stream>>>(data_of<float>(partial), static_cast<int>(blocks),
                                                data_of<float>(out));
  check_launch("add_sum_of_squares");
}

void clip_scale(Context& context, Tensor sum_of_squares, float max_norm, Tensor norm,
                Tensor scale) {
  clip_scale_kernel<<<1, 1, 0, stream_of(context)>>>(data_of<float>(sum_of_squares), max_norm,
                                                     data_of<float>(norm), data_of<float>(scale));
  check_launch("clip_scale");
}

void adamw(Context& context, Tensor grad, Tensor scale, const AdamWStep& step, Tensor master,
           Tensor m, Tensor v, Tensor weight) {
  const std::int64_t n = grad.elements();
  if (n == 0) return;
  const cudaStream_t stream = stream_of(context);
  const auto t = static_cast<double>(step.step);
  const AdamWFactors factors{step.lr,
                             step.beta1,
                             step.beta2,
                             step.epsilon,
                             step.weight_decay,
                             static_cast<float>(1 / (1 - std::pow(double{step.beta1}, t))),
                             static_cast<float>(1 / (1 - std::pow(double{step.beta2}, t)))};
  dispatch_native(weight.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto launch = [&](auto width) {
      constexpr int w = decltype(width)::value;
      adamw_kernel<T, w><<<blocks_for(n, threads * w) + 1, threads, 0, stream>>>(
          data_of<const float>(grad), data_of<const float>(scale), factors, data_of<float>(master),
          data_of<float>(m), data_of<float>(v), data_of<T>(weight), n);
    };
    if (aligned(grad, 16) && aligned(master, 16) && aligned(m, 16) && aligned(v, 16) &&
        aligned(weight, 4 * sizeof(T))) {
      launch(Width<4>{});
    } else {
      launch(Width<1>{});
    }
  });
  check_launch("adamw");
}

}  // namespace fathom::ops::cuda
