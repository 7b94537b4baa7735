// Helpers of all CUDA operations: the stream, packs of 16 bytes, sums over a
// warp and a block, and launch shapes.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "core/context.h"
#include "core/cuda/check.h"

namespace fathom::ops::cuda {

// bf16 as device code knows it; the same bits as fathom::bfloat16.
template <class T>
struct NativeType {
  using type = T;
};
template <>
struct NativeType<bfloat16> {
  using type = __nv_bfloat16;
};

// Calls f(float{}) or f(__nv_bfloat16{}).
template <class F>
void dispatch_native(DType dtype, F&& f) {
  dispatch_floating(dtype, [&](auto zero) { f(typename NativeType<decltype(zero)>::type{}); });
}

template <class T>
T* data_of(const Tensor& tensor) {
  return static_cast<T*>(tensor.data);
}

// The context's stream, its device made current.
inline cudaStream_t stream_of(const Context& context) {
  fathom::cuda::check(cudaSetDevice(context.device.index), "choosing the device");
  return static_cast<cudaStream_t>(context.stream);
}

// To be called after each launch.
inline void check_launch(const char* operation) {
  fathom::cuda::check(cudaGetLastError(), operation);
}

// --- Packs: W elements read or written at once, as floats. W is 16 bytes' worth,
// or 1 where an address, a stride or a count does not allow that.

template <class T>
inline constexpr int full_width = 16 / sizeof(T);

template <class T>
inline bool vectorizable(const Tensor& tensor) {
  constexpr int width = full_width<T>;
  return !tensor ||
         (reinterpret_cast<std::uintptr_t>(tensor.data) % 16 == 0 && tensor.cols() % width == 0 &&
          (tensor.rows() <= 1 || tensor.row_stride % width == 0));
}

template <int W>
struct Width {
  static constexpr int value = W;
};

// Calls f(Width<full>) when all tensors allow it, else f(Width<1>).
template <class T, class F, class... Tensors>
void with_width(F&& f, const Tensors&... tensors) {
  if ((vectorizable<T>(tensors) && ...)) {
    f(Width<full_width<T>>{});
  } else {
    f(Width<1>{});
  }
}

__device__ inline float to_float(float x) {
  return x;
}
__device__ inline float to_float(__nv_bfloat16 x) {
  return __bfloat162float(x);
}
template <class T>
__device__ inline T from_float(float x) {
  if constexpr (sizeof(T) == 2) {
    return __float2bfloat16_rn(x);
  } else {
    return x;
  }
}

template <int Bytes>
struct Word;
template <>
struct Word<2> {
  using type = unsigned short;
};
template <>
struct Word<4> {
  using type = unsigned;
};
template <>
struct Word<8> {
  using type = uint2;
};
template <>
struct Word<16> {
  using type = uint4;
};

// W elements as they are, moved as words of at most 16 bytes.
template <int W, class T>
__device__ inline void load_raw(const T* from, T (&x)[W]) {
  constexpr int bytes = W * sizeof(T) < 16 ? W * sizeof(T) : 16;
  constexpr int pieces = W * sizeof(T) / bytes, in_piece = bytes / sizeof(T);
  using Piece = typename Word<bytes>::type;
#pragma unroll
  for (int i = 0; i < pieces; ++i) {
    union {
      Piece word;
      T values[in_piece];
    } pack;
    pack.word = reinterpret_cast<const Piece*>(from)[i];
#pragma unroll
    for (int k = 0; k < in_piece; ++k) x[i * in_piece + k] = pack.values[k];
  }
}

template <int W, class T>
__device__ inline void store_raw(T* to, const T (&x)[W]) {
  constexpr int bytes = W * sizeof(T) < 16 ? W * sizeof(T) : 16;
  constexpr int pieces = W * sizeof(T) / bytes, in_piece = bytes / sizeof(T);
  using Piece = typename Word<bytes>::type;
#pragma unroll
  for (int i = 0; i < pieces; ++i) {
    union {
      Piece word;
      T values[in_piece];
    } pack;
#pragma unroll
    for (int k = 0; k < in_piece; ++k) pack.values[k] = x[i * in_piece + k];
    reinterpret_cast<Piece*>(to)[i] = pack.word;
  }
}

// The same, as floats.
template <int W, class T>
__device__ inline void load_pack(const T* from, float (&x)[W]) {
  T raw[W];
  load_raw(from, raw);
#pragma unroll
  for (int i = 0; i < W; ++i) x[i] = to_float(raw[i]);
}

template <int W, class T>
__device__ inline void store_pack(T* to, const float (&x)[W]) {
  T raw[W];
  if constexpr (sizeof(T) == 2 && W % 2 == 0) {  // one instruction for two
#pragma unroll
    for (int i = 0; i < W; i += 2) {
      const __nv_bfloat162 pair = __floats2bfloat162_rn(x[i], x[i + 1]);
      raw[i] = pair.x;
      raw[i + 1] = pair.y;
    }
  } else {
#pragma unroll
    for (int i = 0; i < W; ++i) raw[i] = from_float<T>(x[i]);
  }
  store_raw(to, raw);
}

// --- Reductions in a fixed order. A block has a multiple of 32 threads.

__device__ inline float warp_sum(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
  return x;
}
__device__ inline float warp_max(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, offset));
  return x;
}

// The sum over the block, in every thread. Ends so that it may be called again.
__device__ inline float block_sum(float x) {
  __shared__ float partial[32];
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  x = warp_sum(threadIdx.x % 32 < blockDim.x / 32 ? partial[threadIdx.x % 32] : 0.0f);
  __syncthreads();
  return x;
}

// --- Launch shapes.

inline unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

// A block of about `threads` threads for rows of so many packs each: x threads a row, a power
// of two, and y rows, so that narrow rows leave few threads idle. The kernel loops over packs
// that a row has more of than the block is wide.
inline dim3 row_block(std::int64_t packs, unsigned threads) {
  unsigned x = 1;
  while (x < threads && x < packs) x *= 2;
  return {x, threads / x, 1};
}

inline int device_attribute(cudaDeviceAttr name, const char* operation) {
  int device = 0, value = 0;
  fathom::cuda::check(cudaGetDevice(&device), operation);
  fathom::cuda::check(cudaDeviceGetAttribute(&value, name, device), operation);
  return value;
}

// Lets a kernel be launched with as much dynamic shared memory as a block can have beside
// the kernel's own, and returns how much that is. Nothing less is asked for, since other
// threads may launch the kernel with more.
template <class... Arguments>
std::size_t allow_shared_memory(void (*kernel)(Arguments...), const char* operation) {
  cudaFuncAttributes attributes{};
  fathom::cuda::check(cudaFuncGetAttributes(&attributes, kernel), operation);
  const int most = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, operation) -
                   static_cast<int>(attributes.sharedSizeBytes);
  fathom::cuda::check(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most), operation);
  return static_cast<std::size_t>(most);
}

// A view of the row structure that kernels take by value.
template <class T>
struct Rows {
  T* data = nullptr;
  std::int64_t stride = 0;
  __device__ T* operator[](std::int64_t row) const { return data + row * stride; }
};

template <class T>
Rows<T> rows_of(const Tensor& tensor) {
  return {static_cast<T*>(tensor.data), tensor.row_stride};
}

}  // namespace fathom::ops::cuda
