#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/fixed_order_kernel.h"
#include "ops/cuda/fixed_order_linear.h"

namespace fathom::ops::cuda {
namespace {

template <class Shape, class Out>
void launch(const FixedOrderWork<Out>& work, cudaStream_t stream) {
  if constexpr (Shape::shared_bytes > 48 << 10) {
    allow_shared_memory(fixed_order_kernel<Shape, Out>, "linear");
  }
  const dim3 grid(blocks_for(work.rows, Shape::rows), blocks_for(work.out, Shape::features));
  fixed_order_kernel<Shape, Out><<<grid, Shape::threads, Shape::shared_bytes, stream>>>(work);
}

// Tiles of many rows where there are enough of them to occupy a large GPU.
template <class Out>
void on_tensor_cores(const FixedOrderWork<Out>& work, cudaStream_t stream) {
  constexpr unsigned multiprocessors = 132;
  if (work.rows <= FixedOrderFew::rows) return launch<FixedOrderFew>(work, stream);
  if (work.rows <= FixedOrderSome::rows) return launch<FixedOrderSome>(work, stream);
  const unsigned many =
      blocks_for(work.rows, FixedOrderMany::rows) * blocks_for(work.out, FixedOrderMany::features);
  if (work.rows <= FixedOrderMore::rows || many < multiprocessors) {
    return launch<FixedOrderMore>(work, stream);
  }
  launch<FixedOrderMany>(work, stream);
}

// --- Any type and alignment: fused multiply-adds in the order of k. A thread computes 4 rows by 4
// features, 16 apart.

constexpr int plain_tile = 64, plain_step = 16, plain_threads = 256;

// Numbers [at, at + plain_step) of plain_tile rows, as floats by number and row; zeros outside.
template <class T>
__device__ void load_plain(float (&to)[plain_step][plain_tile + 1], Rows<const T> from, int first,
                           int rows, int at, int width) {
  for (int i = threadIdx.x; i < plain_tile * plain_step; i += plain_threads) {
    const int row = i / plain_step, k = i % plain_step;
    const bool inside = first + row < rows && at + k < width;
    to[k][row] = inside ? to_float(from[first + row][at + k]) : 0.0f;
  }
}

template <class T, class Out>
__global__ void __launch_bounds__(plain_threads)
    plain_kernel(Rows<const T> x, Rows<const T> w, Rows<Out> y, int rows, int out, int in,
                 bool adds) {
  __shared__ float x_step[plain_step][plain_tile + 1], w_step[plain_step][plain_tile + 1];
  const int first_row = blockIdx.x * plain_tile, first_feature = blockIdx.y * plain_tile;
  const int row = threadIdx.x / 16, feature = threadIdx.x % 16;
  float sums[4][4] = {};
  for (int at = 0; at < in; at += plain_step) {
    load_plain(x_step, x, first_row, rows, at, in);
    load_plain(w_step, w, first_feature, out, at, in);
    __syncthreads();
    for (int k = 0; k < plain_step; ++k) {
#pragma unroll
      for (int r = 0; r < 4; ++r) {
#pragma unroll
        for (int f = 0; f < 4; ++f) {
          sums[r][f] = fmaf(x_step[k][row + 16 * r], w_step[k][feature + 16 * f], sums[r][f]);
        }
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 4; ++r) {
#pragma unroll
    for (int f = 0; f < 4; ++f) {
      const int at_row = first_row + row + 16 * r, at_feature = first_feature + feature + 16 * f;
      if (at_row >= rows || at_feature >= out) continue;
      Out& to = y[at_row][at_feature];
      to = from_float<Out>(adds ? to_float(to) + sums[r][f] : sums[r][f]);
    }
  }
}

template <class T, class Out>
void plain(Tensor x, Tensor w, Tensor y, Accumulate accumulate, cudaStream_t stream) {
  const dim3 grid(blocks_for(y.rows(), plain_tile), blocks_for(w.shape[0], plain_tile));
  plain_kernel<T, Out><<<grid, plain_threads, 0, stream>>>(
      rows_of<const T>(x), rows_of<const T>(w), rows_of<Out>(y), static_cast<int>(y.rows()),
      static_cast<int>(w.shape[0]), static_cast<int>(w.shape[1]), accumulate == Accumulate::add);
}

// As vectorizable(), and a single row must lie as one of several would: its sums are the same.
bool rows_take_pieces(const Tensor& tensor) {
  return tensor.dtype == DType::bf16 && vectorizable<__nv_bfloat16>(tensor) &&
         tensor.row_stride % full_width<__nv_bfloat16> == 0;
}

template <class Out>
bool takes_pairs(const Tensor& y) {
  return reinterpret_cast<std::uintptr_t>(y.data) % (2 * sizeof(Out)) == 0 && y.row_stride % 2 == 0;
}

}  // namespace

void fixed_order_linear(Context& context, Tensor x, Tensor w, Tensor y, Accumulate accumulate) {
  if (y.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  const bool tiles = rows_take_pieces(x) && rows_take_pieces(w);
  dispatch_native(y.dtype, [&](auto zero) {
    using Out = decltype(zero);
    if (tiles) {
      return on_tensor_cores<Out>(
          {rows_of<const __nv_bfloat16>(x), rows_of<const __nv_bfloat16>(w), rows_of<Out>(y),
           static_cast<int>(y.rows()), static_cast<int>(w.shape[0]), static_cast<int>(w.shape[1]),
           accumulate == Accumulate::add, takes_pairs<Out>(y)},
          stream);
    }
    dispatch_native(
        x.dtype, [&](auto operand) { plain<decltype(operand), Out>(x, w, y, accumulate, stream); });
  });
  check_launch("linear");
}

}  // namespace fathom::ops::cuda
