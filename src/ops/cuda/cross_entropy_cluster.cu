// Cross-entropy of rows too long for the L2 cache: logits cross the memory bus once each
// way. Four blocks of a cluster hold a quarter of a row each in shared memory between the
// pass that sums and the one that writes gradients.
//
// Rows overlap: while a block's gradients of one row are written, the cluster exchanges the
// sums of the next, and the rows after that arrive. So nothing waits for the exchange, and
// some 50 to 100 KB are always on their way to a multiprocessor, which the memory's
// latency needs.
#include <algorithm>

#include "ops/cuda/async_copy.h"
#include "ops/cuda/cross_entropy_cluster.h"
#include "ops/cuda/softmax_sum.h"

namespace fathom::ops::cuda {
namespace {

constexpr unsigned cluster_size = 4;
constexpr int threads = 800;  // takes 3200 packs, a quarter of 102400 bf16, in 4 turns
constexpr int num_buffers = 4;
constexpr std::int64_t least_row_bytes = 128 << 10;
constexpr std::size_t alignment = 128;

template <class T>
struct Call {
  Rows<T> logits;
  const std::int32_t* targets;
  float scale;
  float* losses;
  std::int64_t rows;
  int cols, part;  // part: columns a block
  std::size_t bytes_of_buffer;
};

#if __CUDA_ARCH__ >= 900

// The exchange of a row's sums. Turns alternate between two sets of slots: a block writes
// into a set only after a wait that every block reaches after having read it.
class Exchange {
 public:
  // After a barrier that the block's warps reach with their sums stored; all threads.
  __device__ void send(const SoftmaxSum* of_warps, int turn, unsigned rank) {
    if (threadIdx.x < 32) {
      const SoftmaxSum block =
          warp_combine(threadIdx.x < threads / 32 ? of_warps[threadIdx.x] : SoftmaxSum{});
      if (threadIdx.x < cluster_size) {
        store_in_block(slots_[turn % 2][rank], block.maximum, block.sum, threadIdx.x);
      }
    }
    cluster_arrive();
  }
  // The sum over the cluster's blocks, in the order of their ranks.
  __device__ SoftmaxSum receive(int turn) {
    cluster_wait();
    SoftmaxSum total;
#pragma unroll
    for (unsigned i = 0; i < cluster_size; ++i) {
      total = combine(total, {slots_[turn % 2][i][0], slots_[turn % 2][i][1]});
    }
    return total;
  }

 private:
  alignas(8) float slots_[2][cluster_size][2];
};

// Gradients and loss of one row from this block's part of it, `count` logits.
template <class T>
__device__ void finish(const Call<T>& call, std::int64_t row, const T* logits, int count,
                       int first_col, SoftmaxSum total) {
  constexpr int width = full_width<T>, stride = threads * width;
  T* const gradient = call.logits[row] + first_col;
  const std::int64_t target = call.targets[row], here = target - first_col;
  if (target < 0) {
    write_zeros<width>(gradient, count, stride);
    if (threadIdx.x == 0 && first_col == 0) call.losses[row] = 0;
    return;
  }
  write_gradient<width>(logits, gradient, count, stride, total, call.scale, here);
  if (threadIdx.x == 0 && here >= 0 && here < count) {
    call.losses[row] = loss_of(total, to_float(logits[here]));
  }
}

#endif

template <class T>
__global__ void __launch_bounds__(threads, 1) cluster_kernel(const __grid_constant__ Call<T> call) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(alignment) unsigned char buffers[];
  __shared__ ArrivalBarrier arrived[num_buffers];
  __shared__ SoftmaxSum of_warps[threads / 32];
  __shared__ Exchange exchange;
  constexpr int width = full_width<T>;
  const unsigned rank = rank_in_cluster();
  const int first_col = rank * call.part;
  const int count = min(call.part, call.cols - first_col);
  const std::int64_t step = gridDim.x / cluster_size, first_row = blockIdx.x / cluster_size;
  const auto row_of = [&](int turn) { return first_row + turn * step; };
  const auto buffer_of = [&](int turn) {
    return reinterpret_cast<T*>(buffers + turn % num_buffers * call.bytes_of_buffer);
  };
  const auto request = [&](int turn) {
    if (threadIdx.x != 0 || row_of(turn) >= call.rows) return;
    arrived[turn % num_buffers].request(buffer_of(turn), call.logits[row_of(turn)] + first_col,
                                        count * sizeof(T));
  };
  if (threadIdx.x == 0) {
    for (ArrivalBarrier& barrier : arrived) barrier.init();
  }
  cluster_arrive();
  cluster_wait();  // all blocks run, so that their memory is there
  request(0);
  request(1);
  SoftmaxSum total;  // of the row before
  for (int turn = 0; row_of(turn) < call.rows; ++turn) {
    arrived[turn % num_buffers].wait(turn / num_buffers % 2);
    const SoftmaxSum own =
        warp_combine(sum_of_thread<width>(buffer_of(turn), count, threads * width));
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = own;
    __syncthreads();
    request(turn + 2);  // into the buffer of turn - 2, which all threads have left
    exchange.send(of_warps, turn, rank);
    if (turn > 0) {
      finish(call, row_of(turn - 1), buffer_of(turn - 1), count, first_col, total);
    }
    total = exchange.receive(turn);
    if (row_of(turn + 1) >= call.rows) {
      finish(call, row_of(turn), buffer_of(turn), count, first_col, total);
    }
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
  Launch launch(num_buffers * call.bytes_of_buffer, stream);
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
