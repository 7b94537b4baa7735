// Where the log-sum of each (row, head) lies. The order is cuDNN's, and all attention
// kernels of the GPU write and read it so.
#pragma once

#include <cuda_runtime_api.h>

#include "ops/attention.h"

namespace fathom::ops::cuda {

struct LseOrder {
  std::int64_t length;  // rows of a segment; all of them when segments are not uniform
  std::int64_t head_stride, row_stride;
  std::int64_t num_heads;

  __host__ __device__ std::int64_t at(std::int64_t row, std::int64_t head) const {
    return row / length * (length * num_heads) + head * head_stride + row % length * row_stride;
  }
};

// [segments, num_heads, length] or [rows, num_heads].
inline LseOrder lse_order(const Segments& segments, const HeadShape& heads, std::int64_t rows) {
  if (segments.uniform_length > 0) {
    return {segments.uniform_length, segments.uniform_length, 1, heads.num_heads};
  }
  return {rows, 1, heads.num_heads, heads.num_heads};
}

}  // namespace fathom::ops::cuda
