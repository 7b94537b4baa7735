// RMSNorm's backward: rows in turns, whose contributions to dweight stay in registers
// until a second kernel adds up what the blocks have.
#include <algorithm>

#include "ops/cuda/kernels.h"
#include "ops/cuda/rmsnorm_ring.h"
#include "ops/rmsnorm.h"

namespace fathom::ops::cuda {
namespace {

constexpr unsigned max_threads = 512;

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

constexpr int sum_warps = 32;

// dweight[col] += the sum of partial's rows: 32 columns a block, its warps take every
// 32nd row each.
__global__ void __launch_bounds__(sum_warps * 32)
    add_partial_kernel(const float* partial, int rows, int cols, float* dweight) {
  __shared__ float sums[sum_warps][33];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int col = blockIdx.x * 32 + lane;
  float sum = 0;
  if (col < cols) {
#pragma unroll 8
    for (int row = warp; row < rows; row += sum_warps) {
      sum += partial[std::int64_t{row} * cols + col];
    }
  }
  sums[warp][lane] = sum;
  __syncthreads();
  const float total = warp_sum(sums[lane][warp]);
  const int own = blockIdx.x * 32 + warp;
  if (lane == 0 && own < cols) dweight[own] += total;
}

struct Launch {
  unsigned blocks, threads;
  std::size_t shared_bytes;
};

// Of so many threads that 1024 are on each multiprocessor of an H100; on any GPU the
// same, for the same bits everywhere.
unsigned blocks_of(std::int64_t turns, unsigned threads) {
  return static_cast<unsigned>(std::min<std::int64_t>(turns, 132 * 1024 / threads));
}

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
  if (launch.shared_bytes > 0) {
    fathom::cuda::check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                             static_cast<int>(launch.shared_bytes)),
                        name);
  }
  kernel<<<launch.blocks, launch.threads, launch.shared_bytes, stream>>>(call);
  check_launch(name);
  add_partial_kernel<<<blocks_for(call.cols, 32), sum_warps * 32, 0, stream>>>(
      call.partial, static_cast<int>(launch.blocks), call.cols, data_of<float>(dweight));
  check_launch(name);
}

template <class T, int R, int D, int MaxThreads>
void run_ring(Context& context, const RmsnormBackward<T>& call, Tensor dweight) {
  using Ring = RmsnormRing<T, R, D>;
  const unsigned threads = threads_for(call.cols / Ring::width);
  const Launch launch{blocks_of((call.rows + R - 1) / R, threads), threads, Ring::bytes(threads)};
  run(context, call, rmsnorm_ring_kernel<T, R, D, MaxThreads>, launch, dweight);
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
          } else if (packs > max_threads) {
            run_ring<T, 1, 2, 2 * max_threads>(context, call, dweight);
          } else {
            run_ring<T, 2, 2, max_threads>(context, call, dweight);
          }
        },
        dy, h, weight, dh);
  });
}

}  // namespace fathom::ops::cuda
