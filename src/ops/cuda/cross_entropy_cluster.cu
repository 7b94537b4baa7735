// Cross-entropy of rows too long for the L2 cache: logits cross the memory bus once each
// way. Four blocks of a cluster hold a quarter of a row each in shared memory between the
// pass that sums and the one that writes gradients, while the next row arrives in a
// second buffer.
//
// Two blocks share a multiprocessor: one computes while the other waits for its cluster.
// 102400 bf16 logits are 2 x 50 KB a block, so some 100 KB are on their way to each
// multiprocessor, three times what the memory's latency hides.
#include <algorithm>

#include "ops/cuda/async_copy.h"
#include "ops/cuda/cross_entropy_cluster.h"
#include "ops/cuda/softmax_sum.h"

namespace fathom::ops::cuda {
namespace {

constexpr unsigned cluster_size = 4;
constexpr int threads = 640;  // takes 3200 packs, a quarter of 102400 bf16, in 5 turns
constexpr std::int64_t least_row_bytes = 64 << 10;
constexpr std::size_t alignment = 128;

template <class T>
struct Call {
  Rows<T> logits;
  const std::int32_t* targets;
  float scale;
  float* losses;
  std::int64_t rows;
  int cols, part;               // part: columns a block
  std::size_t bytes_of_buffer;  // one of two
};

#if __CUDA_ARCH__ >= 900

// One block's part of a row.
template <class T>
struct Part {
  static constexpr int width = full_width<T>;
  const T* logits;  // in shared memory
  int count;

  __device__ SoftmaxSum sum() const {
    SoftmaxSum total;
#pragma unroll 2
    for (int col = threadIdx.x * width; col < count; col += threads * width) {
      float x[width];
      load_pack(logits + col, x);
      accumulate(total, x);
    }
    return total;
  }

  __device__ void write_gradient(T* to, SoftmaxSum total, float scale, std::int64_t target) const {
    const float factor = scale / total.sum;
#pragma unroll 2
    for (int col = threadIdx.x * width; col < count; col += threads * width) {
      float x[width];
      load_pack(logits + col, x);
#pragma unroll
      for (int i = 0; i < width; ++i) x[i] = __expf(x[i] - total.maximum) * factor;
      if (target >= col && target < col + width) {
#pragma unroll
        for (int i = 0; i < width; ++i) x[i] -= col + i == target ? scale : 0.0f;
      }
      store_pack(to + col, x);
    }
  }

  __device__ void write_zeros(T* to) const {
    const float zeros[width] = {};
    for (int col = threadIdx.x * width; col < count; col += threads * width) {
      store_pack(to + col, zeros);
    }
  }
};

// The sum over the cluster's blocks, in the order of their ranks. Turns alternate between
// two sets of slots: a block writes into a set only after a barrier that every block
// reaches after having read it.
__device__ SoftmaxSum cluster_combine(SoftmaxSum block, unsigned rank, int set) {
  __shared__ __align__(8) float slots[2][cluster_size][2];
  if (threadIdx.x < cluster_size) {
    store_in_block(slots[set][rank], block.maximum, block.sum, threadIdx.x);
  }
  cluster_barrier();
  SoftmaxSum total;
#pragma unroll
  for (unsigned i = 0; i < cluster_size; ++i) {
    total = combine(total, {slots[set][i][0], slots[set][i][1]});
  }
  return total;
}

#endif

template <class T>
__global__ void __launch_bounds__(threads, 2) cluster_kernel(Call<T> call) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(alignment) unsigned char buffers[];
  __shared__ ArrivalBarrier arrived[2];
  const unsigned rank = rank_in_cluster();
  const int first_col = rank * call.part;
  const int count = min(call.part, call.cols - first_col);
  const std::int64_t step = gridDim.x / cluster_size;
  const auto buffer = [&](int i) {
    return reinterpret_cast<T*>(buffers + i * call.bytes_of_buffer);
  };
  const auto request = [&](std::int64_t row, int i) {
    if (threadIdx.x != 0 || row >= call.rows) return;
    arrived[i].request(buffer(i), call.logits[row] + first_col, count * sizeof(T));
  };
  if (threadIdx.x == 0) {
    arrived[0].init();
    arrived[1].init();
  }
  cluster_barrier();  // all blocks run, so that their memory is there
  std::int64_t row = blockIdx.x / cluster_size;
  request(row, 0);
  for (int turn = 0; row < call.rows; row += step, ++turn) {
    const int now = turn % 2;
    request(row + step, 1 - now);
    const std::int64_t target = call.targets[row];
    const Part<T> part{buffer(now), count};
    arrived[now].wait(turn / 2 % 2);
    const SoftmaxSum total = cluster_combine(block_combine(part.sum()), rank, now);
    T* const gradient = call.logits[row] + first_col;
    const std::int64_t here = target - first_col;
    if (target < 0) {
      part.write_zeros(gradient);
      if (threadIdx.x == 0 && rank == 0) call.losses[row] = 0;
    } else {
      part.write_gradient(gradient, total, call.scale, here);
      if (threadIdx.x == 0 && here >= 0 && here < count) {
        call.losses[row] = loss_of(total, to_float(part.logits[here]));
      }
    }
    __syncthreads();  // the buffer has been read, and is filled again
  }
#endif
}

// What a launch asks for besides its arguments.
struct Launch {
  cudaLaunchConfig_t config{};
  cudaLaunchAttribute cluster{};

  Launch(std::size_t shared_bytes, cudaStream_t stream) {
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {cluster_size, 1, 1};
    config.gridDim = {cluster_size, 1, 1};
    config.blockDim = {threads, 1, 1};
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream;
    config.attrs = &cluster;
    config.numAttrs = 1;
  }
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;
};

// Whether the binary holds this kernel's body for this GPU, and so much shared memory.
template <class T>
bool can_run(std::size_t shared_bytes) {
  cudaFuncAttributes attributes{};
  fathom::cuda::check(cudaFuncGetAttributes(&attributes, cluster_kernel<T>), "cross_entropy");
  if (attributes.ptxVersion < 90) return false;
  int device = 0, most = 0;
  fathom::cuda::check(cudaGetDevice(&device), "cross_entropy");
  fathom::cuda::check(
      cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
      "cross_entropy");
  if (shared_bytes + attributes.sharedSizeBytes > static_cast<std::size_t>(most)) return false;
  fathom::cuda::check(
      cudaFuncSetAttribute(cluster_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(shared_bytes)),
      "cross_entropy");
  return true;
}

template <class T>
bool run(cudaStream_t stream, Call<T> call) {
  constexpr int width = full_width<T>;
  call.part = static_cast<int>(blocks_for(call.cols, cluster_size * width)) * width;
  const std::size_t bytes = static_cast<std::size_t>(call.part) * sizeof(T);
  call.bytes_of_buffer = (bytes + alignment - 1) / alignment * alignment;
  Launch launch(2 * call.bytes_of_buffer, stream);
  if (!can_run<T>(launch.config.dynamicSmemBytes)) return false;
  int clusters = 0;
  fathom::cuda::check(cudaOccupancyMaxActiveClusters(&clusters, cluster_kernel<T>, &launch.config),
                      "cross_entropy");
  if (clusters == 0) return false;
  launch.config.gridDim.x =
      static_cast<unsigned>(std::min<std::int64_t>(clusters, call.rows)) * cluster_size;
  fathom::cuda::check(cudaLaunchKernelEx(&launch.config, cluster_kernel<T>, call), "cross_entropy");
  return true;
}

}  // namespace

bool cross_entropy_by_clusters(Context& context, Tensor logits, Tensor targets, float grad_scale,
                               Tensor losses) {
  const std::int64_t row_bytes = logits.cols() * static_cast<std::int64_t>(size_of(logits.dtype));
  if (row_bytes < least_row_bytes) return false;
  const cudaStream_t stream = stream_of(context);
  bool done = false;
  dispatch_native(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (!vectorizable<T>(logits)) return;
    Call<T> call{};
    call.logits = rows_of<T>(logits);
    call.targets = data_of<const std::int32_t>(targets);
    call.scale = grad_scale;
    call.losses = data_of<float>(losses);
    call.rows = logits.rows();
    call.cols = static_cast<int>(logits.cols());
    done = run(stream, call);
  });
  return done;
}

}  // namespace fathom::ops::cuda
