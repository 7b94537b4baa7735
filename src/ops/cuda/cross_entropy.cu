// Softmax cross-entropy in place. A row is read once: the blocks of a cluster share it
// and hold it in registers while they agree on its maximum and sum, then write its
// gradient. GPUs before Hopper have no clusters, and rows can be too long or unaligned:
// then a block takes a row and reads it twice, the second time mostly from the L2 cache.
#include <cooperative_groups.h>

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

// The logits are subtracted first: their logarithm's few digits would drown in a
// maximum of thousands.
__device__ float loss_of(SoftmaxSum total, float logit) {
  return (total.maximum - logit) + logf(total.sum);
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
  if (threadIdx.x == 0) losses[row] = loss_of(total, to_float(x[target]));
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

constexpr int cluster_threads = 512;
constexpr int cluster_packs = 8;  // that a thread holds
constexpr int max_cluster = 8;    // blocks, as many as any GPU with clusters allows

// The sum of all blocks of the cluster, in their order, in every thread.
__device__ SoftmaxSum cluster_combine(SoftmaxSum x, unsigned blocks) {
#if __CUDA_ARCH__ >= 900
  __shared__ SoftmaxSum partial[cluster_threads / 32];
  __shared__ SoftmaxSum block;
  const auto cluster = cooperative_groups::this_cluster();
  x = warp_combine(x);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  x = warp_combine(threadIdx.x % 32 < cluster_threads / 32 ? partial[threadIdx.x % 32]
                                                           : SoftmaxSum{});
  if (threadIdx.x == 0) block = x;
  cluster.sync();
  SoftmaxSum total;
  for (unsigned i = 0; i < blocks; ++i) total = combine(total, *cluster.map_shared_rank(&block, i));
  cluster.sync();  // nobody leaves, or writes, while others read
  return total;
#else
  return x;
#endif
}

// `blocks` neighbours a row, one cluster.
template <class T, int W>
__global__ void __launch_bounds__(cluster_threads)
    cross_entropy_cluster_kernel(Rows<T> logits, const std::int32_t* targets, bool gradient,
                                 float scale, float* losses, int cols, unsigned blocks) {
  const std::int64_t row = blockIdx.x / blocks;
  const unsigned stride = blocks * cluster_threads * W;
  const int first = (blockIdx.x % blocks * cluster_threads + threadIdx.x) * W;
  const int target = targets[row];
  T* const x = logits[row];
  const float logit = target >= 0 ? to_float(x[target]) : 0.0f;
  T raw[cluster_packs][W];
#pragma unroll
  for (int p = 0; p < cluster_packs; ++p) {
    const int col = first + p * stride;
    if (col < cols) load_raw(x + col, raw[p]);
  }
  SoftmaxSum total;
#pragma unroll
  for (int p = 0; p < cluster_packs; ++p) {
    if (first + p * static_cast<int>(stride) >= cols) break;
    float v[W];
#pragma unroll
    for (int i = 0; i < W; ++i) v[i] = to_float(raw[p][i]);
    accumulate(total, v);
  }
  total = cluster_combine(total, blocks);
  const bool counts = target >= 0;
  if (first == 0) losses[row] = counts ? loss_of(total, logit) : 0.0f;
  if (!gradient) return;
  const float factor = scale / total.sum;
#pragma unroll
  for (int p = 0; p < cluster_packs; ++p) {
    const int col = first + p * stride;
    if (col >= cols) break;
    float v[W];
#pragma unroll
    for (int i = 0; i < W; ++i) {
      const float softmax = __expf(to_float(raw[p][i]) - total.maximum) * factor;
      v[i] = counts ? softmax - (col + i == target ? scale : 0.0f) : 0.0f;
    }
    store_pack(x + col, v);
  }
}

// The blocks that share a row; 0: another kernel has to do it.
unsigned cluster_size(const Tensor& logits, int width, int device) {
  int major = 0;
  fathom::cuda::check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
                      "cross_entropy");
  if (major < 9) return 0;
  const std::int64_t packs = logits.cols() / width;
  for (unsigned blocks = 1; blocks <= max_cluster; blocks *= 2) {
    if (packs <= std::int64_t{blocks} * cluster_threads * cluster_packs) return blocks;
  }
  return 0;
}

template <class T, int W>
void launch_clusters(cudaStream_t stream, const Tensor& logits, const Tensor& targets,
                     bool gradient, float scale, const Tensor& losses, unsigned blocks) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = blocks;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(logits.rows()) * blocks);
  config.blockDim = dim3(cluster_threads);
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  fathom::cuda::check(
      cudaLaunchKernelEx(&config, cross_entropy_cluster_kernel<T, W>, rows_of<T>(logits),
                         data_of<const std::int32_t>(targets), gradient, scale,
                         data_of<float>(losses), static_cast<int>(logits.cols()), blocks),
      "cross_entropy");
}

template <class T>
__global__ void __launch_bounds__(threads)
    part_kernel(Rows<const T> logits, const std::int32_t* targets, std::int64_t first_id,
                float* part, int cols, std::int64_t n) {
  const std::int64_t row = blockIdx.x;
  const T* const x = logits[row];
  SoftmaxSum total;
  for (int col = threadIdx.x; col < cols; col += threads) {
    const float v[1] = {to_float(x[col])};
    accumulate(total, v);
  }
  total = block_combine(total);
  if (threadIdx.x != 0) return;
  const std::int64_t column = targets[row] - first_id;
  const bool here = targets[row] >= 0 && column >= 0 && column < cols;
  part[row] = total.maximum;
  part[n + row] = total.sum;
  part[2 * n + row] = here ? to_float(x[column]) : 0.0f;
}

template <class T>
__global__ void __launch_bounds__(threads)
    from_parts_kernel(Rows<T> logits, const std::int32_t* targets, std::int64_t first_id,
                      const float* parts, int ranks, bool gradient, float scale, float* losses,
                      int cols, std::int64_t n) {
  const std::int64_t row = blockIdx.x;
  T* const x = logits[row];
  const bool counts = targets[row] >= 0;
  SoftmaxSum total;
  float logit = 0;
  for (int r = 0; r < ranks; ++r) {
    const float* const part = parts + 3 * r * n + row;
    total = combine(total, {part[0], part[n]});
    logit += part[2 * n];
  }
  if (threadIdx.x == 0) losses[row] = counts ? loss_of(total, logit) : 0.0f;
  if (!gradient) return;
  const std::int64_t column = targets[row] - first_id;
  const float factor = counts ? scale / total.sum : 0.0f;
  for (int col = threadIdx.x; col < cols; col += threads) {
    const float softmax = counts ? __expf(to_float(x[col]) - total.maximum) * factor : 0.0f;
    x[col] = from_float<T>(softmax - (counts && col == column ? scale : 0.0f));
  }
}

}  // namespace

void cross_entropy_part(Context& context, Tensor logits, Tensor targets, std::int64_t first_id,
                        Tensor part) {
  if (logits.elements() == 0) return;
  dispatch_native(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    part_kernel<T><<<static_cast<unsigned>(logits.rows()), threads, 0, stream_of(context)>>>(
        rows_of<const T>(logits), data_of<const std::int32_t>(targets), first_id,
        data_of<float>(part), static_cast<int>(logits.cols()), logits.rows());
  });
  check_launch("cross_entropy_part");
}

void cross_entropy_from_parts(Context& context, Tensor parts, Tensor logits, Tensor targets,
                              std::int64_t first_id, LogitsGradient gradient, float grad_scale,
                              Tensor losses) {
  if (logits.elements() == 0) return;
  dispatch_native(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    from_parts_kernel<T><<<static_cast<unsigned>(logits.rows()), threads, 0, stream_of(context)>>>(
        rows_of<T>(logits), data_of<const std::int32_t>(targets), first_id,
        data_of<const float>(parts), static_cast<int>(parts.shape[0]),
        gradient == LogitsGradient::overwrite, grad_scale, data_of<float>(losses),
        static_cast<int>(logits.cols()), logits.rows());
  });
  check_launch("cross_entropy_from_parts");
}

void cross_entropy(Context& context, Tensor logits, Tensor targets, LogitsGradient gradient,
                   float grad_scale, Tensor losses) {
  if (logits.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  const bool overwrite = gradient == LogitsGradient::overwrite;
  dispatch_native(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          constexpr int w = decltype(width)::value;
          if (const unsigned blocks = cluster_size(logits, w, context.device.index)) {
            return launch_clusters<T, w>(stream, logits, targets, overwrite, grad_scale, losses,
                                         blocks);
          }
          cross_entropy_kernel<T, w><<<static_cast<unsigned>(logits.rows()), threads, 0, stream>>>(
              rows_of<T>(logits), data_of<const std::int32_t>(targets), overwrite, grad_scale,
              data_of<float>(losses), static_cast<int>(logits.cols()));
        },
        logits);
  });
  check_launch("cross_entropy");
}

}  // namespace fathom::ops::cuda
