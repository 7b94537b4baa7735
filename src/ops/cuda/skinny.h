// Products of a few rows with a matrix of weights: a step of generation. They take as long as
// reading the weights, which tiles of tensor cores read no faster.
#pragma once

#include <cstdint>

#include "core/context.h"

namespace fathom::ops::cuda {

// y [n, out] = x [n, in] · wᵀ in bf16, summed in f32 in an order that does not depend on n; false,
// and nothing done, where n is larger than it pays or the tensors are not aligned to 16 bytes.
bool skinny_linear(Context& context, Tensor x, Tensor w, Tensor y);

}  // namespace fathom::ops::cuda
