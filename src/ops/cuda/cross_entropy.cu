// Softmax cross-entropy in place, a block a row: one pass for the maximum and the
// sum, a second that turns the logits into their gradient. Rows that both passes need go
// to cross_entropy_rows.cu where they fit, short ones to cross_entropy_registers.cu.
#include "ops/cross_entropy.h"
#include "ops/cuda/cross_entropy_registers.h"
#include "ops/cuda/cross_entropy_rows.h"
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/cuda/softmax_sum.h"

namespace fathom::ops::cuda {
namespace {

constexpr int threads = 1024;

template <class T, int W>
__global__ void __launch_bounds__(threads)
    cross_entropy_kernel(Rows<T> logits, const std::int32_t* targets, bool gradient, RowScale scale,
                         float* losses, int cols) {
  const std::int64_t row = blockIdx.x;
  const int target = targets[row];
  T* const x = logits[row];
  if (target < 0) {
    if (threadIdx.x == 0) losses[row] = 0;
    if (!gradient) return;
    write_zeros<W>(x, cols, threads * W);
    return;
  }
  const SoftmaxSum total = block_combine(sum_of_thread<W>(x, cols, threads * W));
  if (threadIdx.x == 0) losses[row] = loss_of(total, to_float(x[target]));
  if (!gradient) return;
  __syncthreads();  // x[target] is read before it is overwritten
  write_gradient<W>(x, cols, threads * W, Gradient(total, scale[row], target));
}

template <class T>
__global__ void __launch_bounds__(threads)
    part_kernel(Rows<const T> logits, const std::int32_t* targets, std::int64_t first_id,
                float* part, int cols, std::int64_t n) {
  const std::int64_t row = blockIdx.x;
  const T* const x = logits[row];
  const SoftmaxSum total = block_combine(sum_of_thread<1>(x, cols, threads));
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
                      const float* parts, int ranks, bool gradient, RowScale scale, float* losses,
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
  const float row_scale = scale[row];
  const float factor = counts ? row_scale / total.sum : 0.0f, shift = shift_of(total.maximum);
  for (int col = threadIdx.x; col < cols; col += threads) {
    const float softmax = counts ? exponential(to_float(x[col]), shift) * factor : 0.0f;
    x[col] = from_float<T>(softmax - (counts && col == column ? row_scale : 0.0f));
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
                              std::int64_t first_id, LogitsGradient gradient,
                              const LossWeights& weights, Tensor losses) {
  if (logits.elements() == 0) return;
  dispatch_native(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    from_parts_kernel<T><<<static_cast<unsigned>(logits.rows()), threads, 0, stream_of(context)>>>(
        rows_of<T>(logits), data_of<const std::int32_t>(targets), first_id,
        data_of<const float>(parts), static_cast<int>(parts.shape[0]),
        gradient == LogitsGradient::overwrite, RowScale(weights), data_of<float>(losses),
        static_cast<int>(logits.cols()), logits.rows());
  });
  check_launch("cross_entropy_from_parts");
}

void cross_entropy(Context& context, Tensor logits, Tensor targets, LogitsGradient gradient,
                   const LossWeights& weights, Tensor losses) {
  if (logits.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  if (gradient == LogitsGradient::overwrite &&
      cross_entropy_by_rows(context, logits, targets, weights, losses)) {
    return;
  }
  if (cross_entropy_in_registers(context, logits, targets, gradient, weights, losses)) return;
  dispatch_native(logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          cross_entropy_kernel<T, decltype(width)::value>
              <<<static_cast<unsigned>(logits.rows()), threads, 0, stream>>>(
                  rows_of<T>(logits), data_of<const std::int32_t>(targets),
                  gradient == LogitsGradient::overwrite, RowScale(weights), data_of<float>(losses),
                  static_cast<int>(logits.cols()));
        },
        logits);
  });
  check_launch("cross_entropy");
}

}  // namespace fathom::ops::cuda
