// RMSNorm's backward: rows in turns, whose contributions to dweight stay in registers
// until a second kernel adds up what the blocks have.
#include <algorithm>

#include "ops/cuda/async_copy.h"
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/cuda/rmsnorm_narrow.h"
#include "ops/rmsnorm.h"

namespace fathom::ops::cuda {
namespace {

constexpr unsigned max_threads = 512;

// The vector kernel. A pack of a row belongs to one thread, and rows arrive in a ring of
// slots in shared memory that threads fill for themselves: what is on its way costs no
// registers, and filling needs no barrier. Two rows a block and two blocks of 512 threads
// are 48 KB on their way to a multiprocessor while as much is summed. More slots, or
// several rows a barrier, were slower (docs/performance.md).
template <class T>
class RmsnormRing {
 public:
  static constexpr int width = full_width<T>;
  static constexpr int slots = 2;
  static constexpr std::size_t bytes(unsigned threads) { return 16 * 3 * slots * threads; }

  __device__ RmsnormRing(const RmsnormBackward<T>& call, uint4* memory)
      : call_(call), memory_(memory + threadIdx.x), col_(threadIdx.x * width) {}

  // Asks for a row; rows and columns beyond the last are zeros.
  __device__ void request(std::int64_t row, int turn) const {
    const bool inside = row < call_.rows && col_ < call_.cols;
    const std::int64_t from = inside ? row : 0;
    const int col = inside ? col_ : 0;
    copy_async(slot(turn, 0), call_.dy[from] + col, inside);
    copy_async(slot(turn, 1), call_.h[from] + col, inside);
    if (call_.add) copy_async(slot(turn, 2), call_.dh[from] + col, inside);
    close_copy_group();
  }
  // The oldest row is there.
  __device__ void wait() const { wait_for_copy_groups<slots - 1>(); }

  __device__ void load(int turn, int operand, float (&x)[width]) const {
    load_pack(reinterpret_cast<const T*>(slot(turn, operand)), x);
  }

 private:
  __device__ uint4* slot(int turn, int operand) const {
    return memory_ + (turn % slots * 3 + operand) * blockDim.x;
  }

  const RmsnormBackward<T>& call_;
  uint4* memory_;
  int col_;
};

// The sum over the block of one row's term. Turns alternate between two sets of partial
// sums, so that one barrier a row is enough.
__device__ float row_sum(float x, int turn) {
  __shared__ float partial[2][32];
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  x = warp_sum(x);
  if (lane == 0) partial[turn % 2][warp] = x;
  __syncthreads();
  return warp_sum(lane < blockDim.x / 32 ? partial[turn % 2][lane] : 0.0f);
}

// Each block takes every gridDim.x-th row, and has all of it: blockDim.x · width >= cols.
template <class T, int MaxThreads>
__global__ void __launch_bounds__(MaxThreads, 1024 / MaxThreads)
    ring_kernel(const __grid_constant__ RmsnormBackward<T> call) {
  extern __shared__ uint4 memory[];
  const RmsnormRing<T> ring(call, memory);
  constexpr int W = RmsnormRing<T>::width;
  std::int64_t row = blockIdx.x;
#pragma unroll
  for (int turn = 0; turn < RmsnormRing<T>::slots; ++turn) {
    ring.request(row + turn * gridDim.x, turn);
  }
  const auto rstd_of = [&](std::int64_t of) { return of < call.rows ? call.rstd[of] : 0.0f; };
  float next_rstd = rstd_of(row);
  const int col = threadIdx.x * W;
  T w[W] = {};
  float dweight[W] = {};
  if (col < call.cols) load_raw(call.weight + col, w);

  for (int turn = 0; row < call.rows; row += gridDim.x, ++turn) {
    const float rstd = next_rstd;
    next_rstd = rstd_of(row + gridDim.x);
    ring.wait();
    float dy[W], h[W], out[W] = {};
    ring.load(turn, 0, dy);
    ring.load(turn, 1, h);
    float dot = 0;
#pragma unroll
    for (int i = 0; i < W; ++i) {
      const float x = h[i] * rstd;
      dweight[i] += dy[i] * x;
      dy[i] *= to_float(w[i]);
      dot += dy[i] * x;
    }
    const float h_share = rstd * rstd * (row_sum(dot, turn) / call.cols);
    if (call.add) ring.load(turn, 2, out);
#pragma unroll
    for (int i = 0; i < W; ++i) out[i] += rstd * dy[i] - h_share * h[i];
    if (col < call.cols) store_pack(call.dh[row] + col, out);
    ring.request(row + RmsnormRing<T>::slots * gridDim.x, turn);
  }
  if (col < call.cols) {
    store_pack(call.partial + std::int64_t{blockIdx.x} * call.cols + col, dweight);
  }
}

// Any width and alignment: P packs of W elements a thread, a row at a time.
template <class T, int W, int P>
__global__ void __launch_bounds__(max_threads) plain_kernel(RmsnormBackward<T> call) {
  float dweight[P][W] = {};
  for (std::int64_t row = blockIdx.x; row < call.rows; row += gridDim.x) {
    const float rstd = call.rstd[row];
    float dot = 0;
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const int col = (p * blockDim.x + threadIdx.x) * W;
      if (col >= call.cols) break;
      float dy[W], h[W], w[W];
      load_pack(call.dy[row] + col, dy);
      load_pack(call.h[row] + col, h);
      load_pack(call.weight + col, w);
#pragma unroll
      for (int i = 0; i < W; ++i) {
        const float x = h[i] * rstd;
        dweight[p][i] += dy[i] * x;
        dot += dy[i] * w[i] * x;
      }
    }
    const float mean = block_sum(dot) / call.cols;
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const int col = (p * blockDim.x + threadIdx.x) * W;
      if (col >= call.cols) break;
      float dy[W], h[W], w[W], out[W] = {};
      load_pack(call.dy[row] + col, dy);
      load_pack(call.h[row] + col, h);
      load_pack(call.weight + col, w);
      if (call.add) load_pack(call.dh[row] + col, out);
#pragma unroll
      for (int i = 0; i < W; ++i) out[i] += rstd * (dy[i] * w[i] - h[i] * rstd * mean);
      store_pack(call.dh[row] + col, out);
    }
  }
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * blockDim.x + threadIdx.x) * W;
    if (col >= call.cols) break;
    store_pack(call.partial + std::int64_t{blockIdx.x} * call.cols + col, dweight[p]);
  }
}

constexpr int sum_cols = 8;

// dweight[col] += the sum of partial's rows: 8 columns a block, whose threads take every
// (Threads / 8)-th row each, so that all they need is asked for at once.
template <int Threads>
__global__ void __launch_bounds__(Threads)
    add_partial_kernel(const float* partial, int rows, int cols, float* dweight) {
  constexpr int groups = Threads / sum_cols;
  __shared__ float sums[sum_cols][groups + 1];
  const int at = threadIdx.x % sum_cols, group = threadIdx.x / sum_cols;
  const int col = blockIdx.x * sum_cols + at;
  float sum = 0;
  if (col < cols) {
#pragma unroll 8
    for (int row = group; row < rows; row += groups) sum += partial[std::int64_t{row} * cols + col];
  }
  sums[at][group] = sum;
  __syncthreads();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int own = blockIdx.x * sum_cols + warp;
  if (warp >= sum_cols || own >= cols) return;
  float total = 0;
#pragma unroll
  for (int i = lane; i < groups; i += 32) total += sums[warp][i];
  total = warp_sum(total);
  if (lane == 0) dweight[own] += total;
}

struct Launch {
  unsigned blocks, threads;
  std::size_t shared_bytes;
};

// As many as 1024 threads a multiprocessor of an H100 allow; on any GPU the same, for the
// same bits everywhere.
unsigned blocks_of(std::int64_t rows, unsigned threads) {
  return static_cast<unsigned>(std::min<std::int64_t>(rows, 132 * (1024 / threads)));
}

// Of narrow rows more would be more partial sums to add up.
constexpr unsigned most_narrow_blocks = 2 * 132;

unsigned threads_for(std::int64_t packs) {
  return blocks_for(packs, 32) * 32;
}

// Runs `kernel` and the sum of what its blocks leave.
template <class T, class Kernel>
void run(Context& context, RmsnormBackward<T> call, Kernel kernel, const Launch& launch,
         Tensor dweight) {
  constexpr const char* name = "add_rmsnorm_backward";
  const cudaStream_t stream = stream_of(context);
  ArenaScope scope(context.workspace);
  const Shape shape{std::int64_t{launch.blocks}, std::int64_t{call.cols}};
  call.partial = data_of<float>(context.workspace.take(DType::f32, shape));
  if (launch.shared_bytes > 0) allow_shared_memory(kernel, name);
  kernel<<<launch.blocks, launch.threads, launch.shared_bytes, stream>>>(call);
  check_launch(name);
  const auto sum = [&](auto sum_threads) {
    constexpr int n = decltype(sum_threads)::value;
    add_partial_kernel<n><<<blocks_for(call.cols, sum_cols), n, 0, stream>>>(
        call.partial, static_cast<int>(launch.blocks), call.cols, data_of<float>(dweight));
  };
  // The more columns, the fewer rows of partial sums: few threads, for one wave of blocks.
  call.cols > 2048 ? sum(Width<256>{}) : sum(Width<1024>{});
  check_launch(name);
}

template <class T, int MaxThreads>
void run_ring(Context& context, const RmsnormBackward<T>& call, Tensor dweight) {
  const unsigned threads = threads_for(call.cols / full_width<T>);
  const Launch launch{blocks_of(call.rows, threads), threads, RmsnormRing<T>::bytes(threads)};
  run(context, call, ring_kernel<T, MaxThreads>, launch, dweight);
}

template <class T, int P>
void run_narrow(Context& context, const RmsnormBackward<T>& call, Tensor dweight) {
  const unsigned blocks = std::min(blocks_for(call.rows, narrow_warps), most_narrow_blocks);
  const auto shared = static_cast<std::size_t>(narrow_warps * call.cols) * sizeof(float);
  run(context, call, narrow_kernel<T, P>, {blocks, 32 * narrow_warps, shared}, dweight);
}

template <class T, int W>
void run_plain(Context& context, const RmsnormBackward<T>& call, Tensor dweight) {
  const std::int64_t packs = call.cols / W;
  const auto with = [&](auto per_thread) {
    constexpr int p = decltype(per_thread)::value;
    const unsigned threads = threads_for((packs + p - 1) / p);
    run(context, call, plain_kernel<T, W, p>, {blocks_of(call.rows, threads), threads, 0}, dweight);
  };
  if (packs <= max_threads) {
    with(Width<1>{});
  } else if (packs <= 16 * max_threads) {
    with(Width<16>{});
  } else {
    fathom::cuda::check(cudaErrorInvalidValue, "RMSNorm of more than 8192 packs of a row");
  }
}

}  // namespace

void add_rmsnorm_backward(Context& context, Tensor dy, Tensor h, Tensor weight, Tensor rstd,
                          Incoming incoming, Tensor dh, Tensor dweight) {
  if (dy.elements() == 0) return;
  dispatch_native(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    RmsnormBackward<T> call{};
    call.dy = rows_of<const T>(dy);
    call.h = rows_of<const T>(h);
    call.dh = rows_of<T>(dh);
    call.weight = data_of<const T>(weight);
    call.rstd = data_of<const float>(rstd);
    call.add = incoming == Incoming::add;
    call.rows = dy.rows();
    call.cols = static_cast<int>(dy.cols());
    with_width<T>(
        [&](auto width) {
          constexpr int w = decltype(width)::value;
          const std::int64_t packs = call.cols / w;
          if (w == 1 || packs > 2 * max_threads) {
            run_plain<T, w>(context, call, dweight);
          } else if (packs <= 32) {
            run_narrow<T, 1>(context, call, dweight);
          } else if (packs <= 64) {
            run_narrow<T, 2>(context, call, dweight);
          } else if (packs > max_threads) {
            run_ring<T, 2 * max_threads>(context, call, dweight);
          } else {
            run_ring<T, max_threads>(context, call, dweight);
          }
        },
        dy, h, weight, dh);
  });
}

}  // namespace fathom::ops::cuda
