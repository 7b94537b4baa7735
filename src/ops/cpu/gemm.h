// Matrix products on the CPU; all operations go through here.
#pragma once

#include "core/context.h"
#include "ops/matmul.h"

namespace fathom::ops::cpu {

// A matrix as it lies in memory, or its transpose.
struct Operand {
  Tensor tensor;
  bool transposed = false;
  Tensor scales = {};  // of a matrix in 8 bits (ops/int8.h); absent: it is f32 or bf16
};

// c [m, n] (+)= a [m, k] · b [k, n], where a and b are the tensors or their
// transposes. a, b: f32 or bf16, one type, or b in 8 bits; c: a's type or f32. Sums in f32.
void gemm(Context& context, const Operand& a, const Operand& b, Tensor c, Accumulate accumulate);

}  // namespace fathom::ops::cpu
