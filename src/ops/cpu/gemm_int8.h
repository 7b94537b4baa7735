// Products of many rows in bf16 with matrices in 8 bits.
#pragma once

#include "core/context.h"
#include "ops/int8.h"

namespace fathom::ops::cpu {

// y [n, out] = x [n, in] · wᵀ for x in bf16, by the processor's own bf16 instructions: w is
// rounded to bf16 in the workspace. False, with nothing done, where gemm_in_bf16() has no kernel for
// this processor or these shapes, or half of the workspace does not hold w.
bool linear_int8_in_bf16(Context& context, Tensor x, const Int8Matrix& w, Tensor y);

}  // namespace fathom::ops::cpu
