// Cross-entropy of rows that are held in shared memory between the pass that sums and the
// one that writes gradients: logits cross the memory bus once each way.
//
// A row lies there in chunks. As soon as all threads have taken a chunk up to write its
// gradients, the same chunk of the block's next row begins to arrive in its place, and is
// summed a few chunks later. So the bus carries logits in while it carries gradients out, and
// never waits for the sums of a whole row. Short rows leave room for several blocks a
// multiprocessor, which wait in turn.
#include <algorithm>

#include "ops/cuda/async_copy.h"
#include "ops/cuda/cross_entropy_rows.h"
#include "ops/cuda/softmax_sum.h"

namespace fathom::ops::cuda {
namespace {

constexpr int max_threads = 1024;
constexpr int most_blocks = 4;  // a multiprocessor, which share max_threads
constexpr int max_chunks = 16;  // of a row
constexpr std::size_t most_row_bytes = std::size_t{max_chunks} * max_threads * 16;
constexpr std::int64_t least_row_bytes = 16 << 10;

template <class T>
struct Call {
  Rows<T> logits;
  const std::int32_t* targets;
  RowScale scale;
  float* losses;
  std::int64_t rows;
  int cols;
};

#if __CUDA_ARCH__ >= 900

// A block's row in shared memory.
template <class T, int P>
class SharedRow {
 public:
  static constexpr int width = full_width<T>;
  using Packs = LogitPack<T, width>[P];

  __device__ SharedRow(const Call<T>& call, T* buffer, ArrivalBarrier* arrived)
      : call_(call),
        buffer_(buffer),
        arrived_(arrived),
        chunk_(P * width * static_cast<int>(blockDim.x)) {}

  __device__ int chunks() const { return (call_.cols + chunk_ - 1) / chunk_; }
  // The column of this thread's pack `p` of chunk `c`.
  __device__ int column(int c, int p) const {
    return c * chunk_ + (p * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)) * width;
  }
  __device__ float operator[](int column) const { return to_float(buffer_[column]); }

  // By one thread, when no thread reads the chunk any more.
  __device__ void request(std::int64_t row, int c) {
    if (row >= call_.rows) return;
    const int first = c * chunk_;
    arrived_[c].request(buffer_ + first, call_.logits[row] + first,
                        min(chunk_, call_.cols - first) * sizeof(T));
  }
  __device__ void wait(int c, unsigned parity) { arrived_[c].wait(parity); }

  __device__ void load(int c, Packs& packs) const {
#pragma unroll
    for (int p = 0; p < P; ++p) {
      packs[p].load(buffer_ + column(c, p), column(c, p) < call_.cols);
    }
  }

 private:
  const Call<T>& call_;
  T* buffer_;
  ArrivalBarrier* arrived_;
  int chunk_;  // columns
};

// Zeros where there is no target.
template <class T, int W>
__device__ void write_pack(const Gradient& gradient, const LogitPack<T, W>& pack, int col, T* row) {
  float x[W] = {};
  if (gradient.target >= 0) {
#pragma unroll
    for (int i = 0; i < W; ++i) x[i] = pack[i];
    gradient.apply(x, col);
  }
  store_pack(row + col, x);
}

#endif

// P: packs a thread takes of a chunk. A chunk of the next row is summed `Lag` chunks after it
// was asked for.
template <class T, int P, int Lag>
__global__ void __launch_bounds__(max_threads, 1) row_kernel(const __grid_constant__ Call<T> call) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) unsigned char buffer[];
  __shared__ ArrivalBarrier arrived[max_chunks];
  SharedRow<T, P> shared(call, reinterpret_cast<T*>(buffer), arrived);
  const int chunks = shared.chunks();
  if (threadIdx.x == 0) {
    for (ArrivalBarrier& barrier : arrived) barrier.init();
    for (int c = 0; c < chunks; ++c) shared.request(blockIdx.x, c);
  }
  __syncthreads();
  unsigned parity = 0;
  SoftmaxSum own;  // of what the thread has seen of the row that arrives
  const auto sum = [&](int c) {
    typename SharedRow<T, P>::Packs packs;
    shared.wait(c, parity);
    shared.load(c, packs);
    add_packs(own, packs);
  };
  for (int c = 0; c < chunks; ++c) sum(c);
  for (std::int64_t row = blockIdx.x; row < call.rows; row += gridDim.x) {
    const SoftmaxSum total = block_combine(own);
    const int target = call.targets[row];
    if (threadIdx.x == 0) call.losses[row] = target < 0 ? 0.0f : loss_of(total, shared[target]);
    const Gradient gradient(total, call.scale[row], target);
    const bool more = row + gridDim.x < call.rows;
    own = {};
    parity ^= 1;
    for (int c = 0; c < chunks; ++c) {
      typename SharedRow<T, P>::Packs packs;
      shared.load(c, packs);
      __syncthreads();
      if (threadIdx.x == 0) shared.request(row + gridDim.x, c);
#pragma unroll
      for (int p = 0; p < P; ++p) {
        const int col = shared.column(c, p);
        if (col < call.cols) write_pack(gradient, packs[p], col, call.logits[row]);
      }
      if (more && c >= Lag) sum(c - Lag);
    }
    for (int c = max(0, chunks - Lag); more && c < chunks; ++c) sum(c);
  }
#endif
}

constexpr const char* operation = "cross_entropy";

// A kernel and how it is launched for rows of so many bytes.
template <class T>
struct RowLaunch {
  void (*kernel)(Call<T>);
  int blocks;  // that a multiprocessor takes at once; 0: a row is too long
};

template <class T>
int blocks_at_once(void (*kernel)(Call<T>), std::size_t row_bytes) {
  if (row_bytes > std::min(most_row_bytes, allow_shared_memory(kernel, operation))) return 0;
  cudaFuncAttributes attributes{};
  fathom::cuda::check(cudaFuncGetAttributes(&attributes, kernel), operation);
  const auto device = [](cudaDeviceAttr name) {
    return static_cast<std::size_t>(device_attribute(name, operation));
  };
  const std::size_t of_block =
      row_bytes + attributes.sharedSizeBytes + device(cudaDevAttrReservedSharedMemoryPerBlock);
  const std::size_t all = device(cudaDevAttrMaxSharedMemoryPerMultiprocessor);
  int blocks = most_blocks;
  while (blocks > 1 && static_cast<std::size_t>(blocks) * of_block > all) blocks /= 2;
  return blocks;
}

// A block that has a multiprocessor alone goes in smaller chunks.
template <class T>
RowLaunch<T> launch_for(std::size_t row_bytes) {
  const int blocks = blocks_at_once(row_kernel<T, 2, 2>, row_bytes);
  if (blocks > 1) return {row_kernel<T, 2, 2>, blocks};
  return {row_kernel<T, 1, 4>, blocks_at_once(row_kernel<T, 1, 4>, row_bytes)};
}

// Whether the binary holds the kernel's body for this GPU.
template <class T>
bool is_here() {
  cudaFuncAttributes attributes{};
  fathom::cuda::check(cudaFuncGetAttributes(&attributes, row_kernel<T, 1, 4>), operation);
  return attributes.ptxVersion >= 90;
}

template <class T>
bool run(cudaStream_t stream, const Call<T>& call) {
  if (!is_here<T>()) return false;
  const std::size_t row_bytes = static_cast<std::size_t>(call.cols) * sizeof(T);
  const RowLaunch<T> launch = launch_for<T>(row_bytes);
  if (launch.blocks == 0) return false;
  const std::int64_t most =
      launch.blocks * device_attribute(cudaDevAttrMultiProcessorCount, operation);
  launch.kernel<<<static_cast<unsigned>(std::min(call.rows, most)),
                  static_cast<unsigned>(max_threads / launch.blocks), row_bytes, stream>>>(call);
  check_launch(operation);
  return true;
}

}  // namespace

bool cross_entropy_by_rows(Context& context, Tensor logits, Tensor targets,
                           const LossWeights& weights, Tensor losses) {
  const std::int64_t row_bytes = logits.cols() * static_cast<std::int64_t>(size_of(logits.dtype));
  if (row_bytes < least_row_bytes) return false;
  const cudaStream_t stream = stream_of(context);
  bool done = false;
  dispatch_native(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (!vectorizable<T>(logits)) return;
    done = run(stream,
               Call<T>{rows_of<T>(logits), data_of<const std::int32_t>(targets), RowScale(weights),
                       data_of<float>(losses), logits.rows(), static_cast<int>(logits.cols())});
  });
  return done;
}

}  // namespace fathom::ops::cuda
