// Products whose rows have the same bits whatever the other rows, and however many they are:
// BatchInvariance::on.
#pragma once

#include "ops/matmul.h"

namespace fathom::ops::cuda {

// linear(), each element of y summed over k in one order. On tensor cores in bf16 where rows of x
// and w lie at multiples of 16 bytes, else by fused multiply-adds.
void fixed_order_linear(Context& context, Tensor x, Tensor w, Tensor y, Accumulate accumulate);

}  // namespace fathom::ops::cuda
