// SwiGLU: one pass over memory, a pack of gate and one of up a thread.
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/cuda/launch.h"
#include "ops/swiglu.h"

namespace fathom::ops::cuda {
namespace {

constexpr int threads = 256;

__device__ float sigmoid(float x) {
  return 1.0f / (1.0f + __expf(-x));
}

template <class T, int W>
__global__ void forward_kernel(Rows<const T> gate_up, Rows<T> y, int width) {
  start_next_kernel();
  wait_for_previous_kernel();
  const std::int64_t row = blockIdx.x;
  const int col = (blockIdx.y * threads + threadIdx.x) * W;
  if (col >= width) return;
  float gate[W], up[W];
  load_pack(gate_up[row] + col, gate);
  load_pack(gate_up[row] + width + col, up);
#pragma unroll
  for (int i = 0; i < W; ++i) up[i] *= gate[i] * sigmoid(gate[i]);
  store_pack(y[row] + col, up);
}

template <class T, int W>
__global__ void backward_kernel(Rows<const T> dy, Rows<const T> gate_up, Rows<T> dgate_up,
                                int width) {
  const std::int64_t row = blockIdx.x;
  const int col = (blockIdx.y * threads + threadIdx.x) * W;
  if (col >= width) return;
  float d[W], gate[W], up[W];
  load_pack(dy[row] + col, d);
  load_pack(gate_up[row] + col, gate);
  load_pack(gate_up[row] + width + col, up);
#pragma unroll
  for (int i = 0; i < W; ++i) {
    const float s = sigmoid(gate[i]);
    const float dup = d[i] * gate[i] * s;
    gate[i] = d[i] * up[i] * s * (1.0f + gate[i] * (1.0f - s));
    up[i] = dup;
  }
  store_pack(dgate_up[row] + col, gate);
  store_pack(dgate_up[row] + width + col, up);
}

// The halves of gate_up must be aligned too, so y's width decides for all.
template <int W>
dim3 grid_of(const Tensor& y) {
  return dim3(static_cast<unsigned>(y.rows()), blocks_for(y.cols() / W, threads));
}

}  // namespace

void swiglu(Context& context, Tensor gate_up, Tensor y) {
  if (y.elements() == 0) return;
  dispatch_native(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          constexpr int w = decltype(width)::value;
          launch(context, forward_kernel<T, w>, grid_of<w>(y), threads, 0, "swiglu",
                 rows_of<const T>(gate_up), rows_of<T>(y), static_cast<int>(y.cols()));
        },
        gate_up, y);
  });
}

void swiglu_backward(Context& context, Tensor dy, Tensor gate_up, Tensor dgate_up) {
  if (dy.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  dispatch_native(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          constexpr int w = decltype(width)::value;
          backward_kernel<T, w><<<grid_of<w>(dy), threads, 0, stream>>>(
              rows_of<const T>(dy), rows_of<const T>(gate_up), rows_of<T>(dgate_up),
              static_cast<int>(dy.cols()));
        },
        dy, gate_up, dgate_up);
  });
  check_launch("swiglu_backward");
}

}  // namespace fathom::ops::cuda
