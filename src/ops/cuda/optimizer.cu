// The optimizer's passes over memory: each reads and writes what it must once.
#include <algorithm>
#include <cmath>

#include "ops/adamw_table.h"
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/master_weight.h"
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

__global__ void set_step_kernel(AdamWScalars values, AdamWScalars* scalars) {
  values.scale = scalars->scale;
  *scalars = values;
}

// Where W master weights lie: f32 weights are their own.
struct FloatWeights {
  float* weight;

  template <int W>
  __device__ void load(std::int64_t at, float (&master)[W]) const {
    load_pack(weight + at, master);
  }
  template <int W>
  __device__ void store(std::int64_t at, const float (&master)[W]) const {
    store_pack(weight + at, master);
  }
};

// bf16 weights and what rounding took off them.
struct SplitWeights {
  std::uint16_t *weight, *remainder;

  template <int W>
  __device__ void load(std::int64_t at, float (&master)[W]) const {
    std::uint16_t high[W], low[W];
    load_raw(weight + at, high);
    load_raw(remainder + at, low);
#pragma unroll
    for (int i = 0; i < W; ++i) master[i] = __uint_as_float(join_master({high[i], low[i]}));
  }
  template <int W>
  __device__ void store(std::int64_t at, const float (&master)[W]) const {
    std::uint16_t high[W], low[W];
#pragma unroll
    for (int i = 0; i < W; ++i) {
      const MasterWeight parts = split_master(__float_as_uint(master[i]));
      high[i] = parts.weight;
      low[i] = parts.remainder;
    }
    store_raw(weight + at, high);
    store_raw(remainder + at, low);
  }
};

template <int W, class Weights>
__device__ void adamw_pack(std::int64_t at, const float* grad, const AdamWScalars& s,
                           const AdamWConstants& c, float* m, float* v, const Weights& weights) {
  float g[W], p[W], m1[W], m2[W];
  load_pack(grad + at, g);
  weights.load(at, p);
  load_pack(m + at, m1);
  load_pack(v + at, m2);
#pragma unroll
  for (int i = 0; i < W; ++i) {
    g[i] *= s.scale;
    m1[i] = c.beta1 * m1[i] + (1.0f - c.beta1) * g[i];
    m2[i] = c.beta2 * m2[i] + (1.0f - c.beta2) * g[i] * g[i];
    const float update = m1[i] * s.m_scale / (sqrtf(m2[i] * s.v_scale) + c.epsilon);
    p[i] -= s.lr * (update + c.weight_decay * p[i]);
  }
  store_pack(m + at, m1);
  store_pack(v + at, m2);
  weights.store(at, p);
}

template <int W, class Weights>
__global__ void adamw_kernel(const float* grad, const AdamWScalars* scalars,
                             AdamWConstants constants, float* m, float* v, Weights weights,
                             std::int64_t n) {
  const AdamWScalars step = *scalars;
  if (!isfinite(step.scale)) return;
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const std::int64_t packs = n / W;
  if (i < packs) adamw_pack<W>(i * W, grad, step, constants, m, v, weights);
  const std::int64_t rest = packs * W + i;
  if (i < W && rest < n) adamw_pack<1>(rest, grad, step, constants, m, v, weights);
}

static_assert(adamw_piece_elements == threads * 8);

// A piece's elements, 8 a thread.
template <class Weights>
__device__ void adamw_piece(const AdamWPiece& piece, const AdamWScalars& step,
                            const AdamWConstants& constants, const Weights& weights) {
  const auto update = [&](auto width, int at) {
    constexpr int w = decltype(width)::value;
    adamw_pack<w>(at, piece.grad, step, constants, piece.m, piece.v, weights);
  };
  const auto bits =
      reinterpret_cast<std::uintptr_t>(piece.grad) | reinterpret_cast<std::uintptr_t>(piece.m) |
      reinterpret_cast<std::uintptr_t>(piece.v) | reinterpret_cast<std::uintptr_t>(piece.weight) |
      reinterpret_cast<std::uintptr_t>(piece.remainder);
  const int packed = bits % 16 == 0 ? piece.count / 8 * 8 : 0, at = threadIdx.x * 8;
  if (at < packed) update(Width<8>{}, at);
  for (int i = packed + threadIdx.x; i < piece.count; i += threads) update(Width<1>{}, i);
}

// A block a piece.
__global__ void __launch_bounds__(threads)
    adamw_pieces_kernel(const AdamWPiece* pieces, const AdamWScalars* scalars,
                        AdamWConstants constants) {
  const AdamWScalars step = *scalars;
  if (!isfinite(step.scale)) return;
  const AdamWPiece piece = pieces[blockIdx.x];
  constants.weight_decay = piece.weight_decay;
  if (piece.remainder) {
    adamw_piece(piece, step, constants,
                SplitWeights{static_cast<std::uint16_t*>(piece.weight), piece.remainder});
  } else {
    adamw_piece(piece, step, constants, FloatWeights{static_cast<float*>(piece.weight)});
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

void set_adamw_step(Context& context, const AdamWScalars& values, Tensor scalars) {
  set_step_kernel<<<1, 1, 0, stream_of(context)>>>(values, data_of<AdamWScalars>(scalars));
  check_launch("set_adamw_step");
}

void adamw(Context& context, Tensor grad, Tensor scalars, const AdamWConstants& constants, Tensor m,
           Tensor v, Tensor weight, Tensor remainder) {
  const std::int64_t n = grad.elements();
  if (n == 0) return;
  const cudaStream_t stream = stream_of(context);
  const auto launch = [&](auto width, auto weights) {
    constexpr int w = decltype(width)::value;
    adamw_kernel<w><<<blocks_for(n, threads * w), threads, 0, stream>>>(
        data_of<const float>(grad), data_of<const AdamWScalars>(scalars), constants,
        data_of<float>(m), data_of<float>(v), weights, n);
  };
  bool packs = true;
  for (const Tensor& tensor : {grad, m, v, weight, remainder}) packs = packs && aligned(tensor, 16);
  const auto with = [&](auto weights) {
    packs ? launch(Width<8>{}, weights) : launch(Width<1>{}, weights);
  };
  if (weight.dtype == DType::f32) {
    with(FloatWeights{data_of<float>(weight)});
  } else {
    with(SplitWeights{data_of<std::uint16_t>(weight), data_of<std::uint16_t>(remainder)});
  }
  check_launch("adamw");
}

void adamw_slices(Context& context, std::span<const AdamWSlice>, Tensor table, Tensor scalars,
                  const AdamWConstants& constants) {
  const auto pieces = static_cast<unsigned>(table.bytes() / sizeof(AdamWPiece));
  if (pieces == 0) return;
  adamw_pieces_kernel<<<pieces, threads, 0, stream_of(context)>>>(
      data_of<const AdamWPiece>(table), data_of<const AdamWScalars>(scalars), constants);
  check_launch("adamw");
}

}  // namespace fathom::ops::cuda
