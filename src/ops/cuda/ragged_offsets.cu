#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/ragged_offsets.h"

namespace fathom::ops::cuda {
namespace {

constexpr int threads = 128;

__global__ void fill_kernel(const std::int32_t* offsets, int segments, RaggedOffsets ragged) {
  const int i = blockIdx.x * threads + threadIdx.x;
  if (i > ragged.sequences) return;
  const std::int64_t row = offsets[min(i, segments)];
#pragma unroll
  for (int kind = 0; kind < RaggedOffsets::kinds; ++kind) {
    if (ragged.starts[kind]) ragged.starts[kind][i] = row * ragged.row_strides[kind];
  }
  if (i == ragged.sequences) return;
  ragged.lengths[i] = i < segments ? offsets[i + 1] - offsets[i] : 0;
}

}  // namespace

void fill_ragged_offsets(void* stream, Tensor offsets, const RaggedOffsets& ragged) {
  fill_kernel<<<blocks_for(ragged.sequences + 1, threads), threads, 0,
                static_cast<cudaStream_t>(stream)>>>(
      data_of<const std::int32_t>(offsets), static_cast<int>(offsets.elements() - 1), ragged);
  check_launch("attention's offsets");
}

}  // namespace fathom::ops::cuda
