#include <cuda_bf16.h>

#include <algorithm>

#include "comm/cuda/reduce.h"
#include "core/cuda/check.h"

namespace fathom::comm_cuda {
namespace {

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

template <class T>
__global__ void reduce(Parts parts, T* to, std::int64_t elements, bool maximum) {
  using S = typename Sum<T>::Type;
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < elements;
       i += step) {
    S total = static_cast<S>(static_cast<const T*>(parts.data[0])[i]);
    for (int p = 1; p < parts.count; ++p) {
      const S value = static_cast<S>(static_cast<const T*>(parts.data[p])[i]);
      total = maximum ? (value > total ? value : total) : total + value;
    }
    to[i] = static_cast<T>(total);
  }
}

template <class T>
void launch(Stream stream, const Parts& parts, Tensor to, bool maximum) {
  constexpr int threads = 256;
  const std::int64_t blocks = (to.elements() + threads - 1) / threads;
  reduce<T><<<static_cast<unsigned>(std::min<std::int64_t>(blocks, 1056)), threads, 0,
              static_cast<cudaStream_t>(stream)>>>(parts, static_cast<T*>(to.data), to.elements(),
                                                   maximum);
  cuda::check(cudaGetLastError(), "reducing between ranks");
}

}  // namespace

void reduce_parts(Stream stream, const void* const* arrays, int count, Tensor to,
                  Reduction reduction) {
  if (to.elements() == 0) return;
  cuda::check(cudaSetDevice(to.device.index), "choosing the device");
  Parts parts{};
  std::copy(arrays, arrays + count, parts.data);
  parts.count = count;
  const bool maximum = reduction == Reduction::max;
  if (to.dtype == DType::i32) {
    launch<std::int32_t>(stream, parts, to, maximum);
  } else if (to.dtype == DType::bf16) {
    launch<__nv_bfloat16>(stream, parts, to, maximum);
  } else {
    launch<float>(stream, parts, to, maximum);
  }
}

}  // namespace fathom::comm_cuda
