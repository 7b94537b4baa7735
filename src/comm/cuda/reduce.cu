#include <cuda_bf16.h>

#include <algorithm>

#include "comm/cuda/reduce.h"
#include "core/cuda/check.h"

namespace fathom::comm_cuda {
namespace {

constexpr int threads = 256;
constexpr unsigned most_blocks = 1056;

struct Parts {
  const void* data[max_parts];
  int count;
};

template <class T>
struct Sum {
  using Type = float;
};
template <>
struct Sum<std::int32_t> {
  using Type = std::int32_t;
};

// What a thread reads and writes at once.
template <class T, int N>
struct alignas(N * sizeof(T)) Pack {
  T values[N];
};

template <class T, int N>
__device__ Pack<T, N> reduced(const Parts& parts, std::int64_t i, bool maximum) {
  using S = typename Sum<T>::Type;
  const auto pack_of = [&](int part) {
    return static_cast<const Pack<T, N>*>(parts.data[part])[i];
  };
  S total[N];
  const Pack<T, N> first = pack_of(0);
  for (int k = 0; k < N; ++k) total[k] = static_cast<S>(first.values[k]);
#pragma unroll 4
  for (int part = 1; part < parts.count; ++part) {
    const Pack<T, N> more = pack_of(part);
    for (int k = 0; k < N; ++k) {
      const S value = static_cast<S>(more.values[k]);
      total[k] = maximum ? (value > total[k] ? value : total[k]) : total[k] + value;
    }
  }
  Pack<T, N> result;
  for (int k = 0; k < N; ++k) result.values[k] = static_cast<T>(total[k]);
  return result;
}

template <class T, int N>
__global__ void reduce(Parts parts, Pack<T, N>* to, std::int64_t packs, bool maximum) {
  const std::int64_t step = std::int64_t{gridDim.x} * threads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x; i < packs; i += step) {
    to[i] = reduced<T, N>(parts, i, maximum);
  }
}

template <class T, int N>
void launch(Stream stream, const Parts& parts, void* to, std::int64_t packs, bool maximum) {
  if (packs == 0) return;
  const std::int64_t blocks = std::min<std::int64_t>((packs + threads - 1) / threads, most_blocks);
  reduce<T, N><<<static_cast<unsigned>(blocks), threads, 0, static_cast<cudaStream_t>(stream)>>>(
      parts, static_cast<Pack<T, N>*>(to), packs, maximum);
  cuda::check(cudaGetLastError(), "reducing between ranks");
}

bool is_aligned(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
}

// In packs of 16 bytes where all arrays lie so, and what is left one by one.
template <class T>
void launch(Stream stream, const Parts& parts, Tensor to, bool maximum) {
  constexpr int width = 16 / sizeof(T);
  const bool wide = is_aligned(to.data) &&
                    std::all_of(parts.data, parts.data + parts.count, is_aligned);
  const std::int64_t packs = wide ? to.elements() / width : 0, done = packs * width;
  launch<T, width>(stream, parts, to.data, packs, maximum);
  Parts rest = parts;
  for (int i = 0; i < rest.count; ++i) rest.data[i] = static_cast<const T*>(rest.data[i]) + done;
  launch<T, 1>(stream, rest, static_cast<T*>(to.data) + done, to.elements() - done, maximum);
}

}  // namespace

void reduce_parts(Stream stream, const void* const* arrays, int count, Tensor to,
                  Reduction reduction) {
  cuda::check(cudaSetDevice(to.device.index), "choosing the device");
  Parts parts{};
  std::copy(arrays, arrays + count, parts.data);
  parts.count = count;
  const bool maximum = reduction == Reduction::max;
  switch (to.dtype) {
    case DType::f32:
      return launch<float>(stream, parts, to, maximum);
    case DType::bf16:
      return launch<__nv_bfloat16>(stream, parts, to, maximum);
    case DType::i32:
      return launch<std::int32_t>(stream, parts, to, maximum);
    case DType::u32:
    case DType::u16:
    case DType::u8:
      break;
  }
  cuda::check(cudaErrorInvalidValue, "reducing values of a type that has no sum");
}

}  // namespace fathom::comm_cuda
