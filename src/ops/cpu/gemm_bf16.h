// Products of bf16 matrices by the processor's own bf16 instructions.
#pragma once

#include "ops/cpu/gemm.h"

namespace fathom::ops::cpu {

// Whether oneDNN has bf16 products for this processor.
bool processor_has_bf16();

// c (+)= a · b as gemm() states it, for bf16 operands. False, with nothing done,
// where oneDNN has no bf16 kernel for this processor or these shapes, or the
// workspace is too small for its packed operands: the caller then converts.
bool gemm_in_bf16(Context& context, const Operand& a, const Operand& b, Tensor c,
                  Accumulate accumulate);

}  // namespace fathom::ops::cpu
