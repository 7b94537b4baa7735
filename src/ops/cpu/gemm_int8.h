// Products of many rows in bf16 with matrices in 8 bits.
#pragma once

#include "core/context.h"
#include "ops/int8.h"

namespace fathom::ops::cpu {

// y [n, out] = x [n, in] · wᵀ for x in bf16, by the processor's own bf16 instructions: blocks of w
// are rounded to bf16 in the workspace. False, with y undefined, where gemm_in_bf16() has no kernel
// for this processor or the workspace is too small.
bool linear_int8_in_bf16(Context& context, Tensor x, const Int8Matrix& w, Tensor y);

}  // namespace fathom::ops::cpu
