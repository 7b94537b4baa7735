// Cross-entropy of short rows, such as those of a vocabulary of bytes: a row stays in registers
// between the pass that sums and the one that writes gradients. Rows are so many, and each so
// little work, that what counts is how many are on their way at once: a row gets a warp, or as
// many as hold it in a few packs a thread, and a multiprocessor has many rows.
#include "ops/cuda/cross_entropy_registers.h"
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/softmax_sum.h"

namespace fathom::ops::cuda {
namespace {

constexpr const char* operation = "cross_entropy";
constexpr int warps_a_block = 4;  // where each has a row

template <class T>
struct ShortRows {
  Rows<T> logits;
  const std::int32_t* targets;
  RowScale scale;
  float* losses;
  bool gradient;
  std::int64_t rows;
  int cols;
};

// One row in the registers of `threads` threads, of which this is number `thread`: pack p is the
// row's pack p · threads + thread.
template <class T, int W, int P>
class RowInRegisters {
 public:
  __device__ RowInRegisters(T* row, int cols, int thread, int threads)
      : row_(row), cols_(cols), thread_(thread), threads_(threads) {}

  __device__ SoftmaxSum load_and_sum() {
#pragma unroll
    for (int p = 0; p < P; ++p) packs_[p].load(row_ + column(p), column(p) < cols_);
    SoftmaxSum own;
    add_packs(own, packs_);
    return own;
  }
  __device__ void write(const Gradient& gradient) const {
#pragma unroll
    for (int p = 0; p < P; ++p) {
      const int col = column(p);
      if (col >= cols_) break;
      float x[W];
#pragma unroll
      for (int i = 0; i < W; ++i) x[i] = packs_[p][i];
      gradient.apply(x, col);
      store_pack(row_ + col, x);
    }
  }
  __device__ void write_zeros() const {
    const float zeros[W] = {};
#pragma unroll
    for (int p = 0; p < P; ++p) {
      if (column(p) < cols_) store_pack(row_ + column(p), zeros);
    }
  }

 private:
  __device__ int column(int p) const {
    return (p * threads_ + thread_) * W;
  }

  T* row_;
  int cols_, thread_, threads_;
  LogitPack<T, W> packs_[P];
};

// combine(own): the sum of all of the row's threads, in each of them. It orders their reads
// before it and their writes after it.
template <int W, int P, class T, class Combine>
__device__ void one_row(const ShortRows<T>& call, std::int64_t row, int thread, int threads,
                        Combine combine) {
  const int target = call.targets[row];
  T* const x = call.logits[row];
  RowInRegisters<T, W, P> in_registers(x, call.cols, thread, threads);
  if (target < 0) {
    if (thread == 0) call.losses[row] = 0;
    if (call.gradient) in_registers.write_zeros();
    return;
  }
  const float logit = thread == 0 ? to_float(x[target]) : 0.0f;
  const SoftmaxSum total = combine(in_registers.load_and_sum());
  if (thread == 0) call.losses[row] = loss_of(total, logit);
  if (call.gradient) in_registers.write(Gradient(total, call.scale[row], target));
}

template <class T, int W, int P>
__global__ void __launch_bounds__(32 * warps_a_block) warp_kernel(const ShortRows<T> call) {
  const std::int64_t row = std::int64_t{blockIdx.x} * warps_a_block + threadIdx.x / 32;
  if (row >= call.rows) return;
  one_row<W, P>(call, row, threadIdx.x % 32, 32, [](SoftmaxSum own) {
    const SoftmaxSum total = warp_combine(own);
    __syncwarp();
    return total;
  });
}

template <class T, int W, int P, int MaxThreads>
__global__ void __launch_bounds__(MaxThreads) block_kernel(const ShortRows<T> call) {
  one_row<W, P>(call, blockIdx.x, threadIdx.x, blockDim.x,
                [](SoftmaxSum own) { return block_combine(own); });
}

template <int P, int W, class T>
void launch_warps(cudaStream_t stream, const ShortRows<T>& call) {
  warp_kernel<T, W, P>
      <<<blocks_for(call.rows, warps_a_block), 32 * warps_a_block, 0, stream>>>(call);
}

template <int P, int MaxThreads, int W, class T>
void launch_blocks(cudaStream_t stream, const ShortRows<T>& call) {
  const unsigned threads = blocks_for(call.cols / W, 32 * P) * 32;
  block_kernel<T, W, P, MaxThreads><<<static_cast<unsigned>(call.rows), threads, 0, stream>>>(call);
}

// In packs of W logits; false where a row has too many.
template <int W, class T>
bool launch(cudaStream_t stream, const ShortRows<T>& call) {
  const int packs = call.cols / W;
  if (packs <= 32) {
    launch_warps<1, W>(stream, call);
  } else if (packs <= 2 * 32) {
    launch_warps<2, W>(stream, call);
  } else if (packs <= 4 * 32) {
    launch_warps<4, W>(stream, call);
  } else if (packs <= 4 * 256) {
    launch_blocks<4, 256, W>(stream, call);
  } else if (W == 1 && packs <= 8 * 1024) {
    launch_blocks<8, 1024, 1>(stream, call);
  } else {
    return false;
  }
  check_launch(operation);
  return true;
}

// Whether W elements can be moved at once.
template <class T, int W>
bool in_packs(const Tensor& x) {
  return reinterpret_cast<std::uintptr_t>(x.data) % (W * sizeof(T)) == 0 && x.cols() % W == 0 &&
         (x.rows() <= 1 || x.row_stride % W == 0);
}

}  // namespace

bool cross_entropy_in_registers(Context& context, Tensor logits, Tensor targets,
                                LogitsGradient gradient, const LossWeights& weights,
                                Tensor losses) {
  const cudaStream_t stream = stream_of(context);
  bool done = false;
  dispatch_native(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    constexpr int full = full_width<T>;
    const ShortRows<T> call{rows_of<T>(logits),
                            data_of<const std::int32_t>(targets),
                            RowScale(weights),
                            data_of<float>(losses),
                            gradient == LogitsGradient::overwrite,
                            logits.rows(),
                            static_cast<int>(logits.cols())};
    if (in_packs<T, full>(logits)) {
      done = launch<full>(stream, call);
    } else if (in_packs<T, full / 2>(logits)) {
      done = launch<full / 2>(stream, call);
    } else {
      done = launch<1>(stream, call);
    }
  });
  return done;
}

}  // namespace fathom::ops::cuda
