// Matrices in 8 bits, for inference on a CPU: 32 neighbours of a row share a scale, as in GGUF's
// Q8_0, and a value is its integer times the scale. Activations stay in f32 or bf16.
//
// Blocks of 32 because one scale a row takes the error of its largest value to all others, and
// because Q8_0 then keeps its integers and scales (what 8 bits cost: docs/performance.md).
#pragma once

#include "core/context.h"

namespace fathom::ops {

inline constexpr std::int64_t int8_block = 32;

struct Int8Matrix {
  Tensor integers;  // [out, in] u8, the bits of int8; contiguous; in is a multiple of int8_block
  Tensor scales;    // [out, in / int8_block] u16, the bits of non-negative IEEE halves; contiguous
};

// y [n, out] = x [n, in] · wᵀ. x is f32 or bf16; y has its type, or is f32. Sums in f32. Where x is
// bf16 with more than cpu_few_rows rows (ops/matmul.h), values of w may be rounded to bf16.
void linear_int8(Context& context, Tensor x, const Int8Matrix& w, Tensor y);

// As embedding(): y[i] = row ids[i] − first_id of the table, zero outside it. y is f32 or bf16.
void embedding_int8(Context& context, Tensor ids, const Int8Matrix& table, std::int64_t first_id,
                    Tensor y);

}  // namespace fathom::ops
