// What the kernels of RMSNorm's backward are given, for rmsnorm_backward.cu.
#pragma once

#include "ops/cuda/cuda_utils.h"

namespace fathom::ops::cuda {

template <class T>
struct RmsnormBackward {
  Rows<const T> dy, h;
  Rows<T> dh;
  const T* weight;
  const float* rstd;
  bool add;  // dh holds a gradient on entry
  std::int64_t rows;
  int cols;
  float* partial;  // [gridDim.x, cols]: each block's sums for dweight
};

}  // namespace fathom::ops::cuda
