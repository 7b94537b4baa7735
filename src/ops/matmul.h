// Matrix products of a linear layer, in the three roles of training. Weights are
// stored as Hugging Face does: w [out, in], so the layer is y = x wᵀ.
//
// Operands are f32 or bf16, all of one type, summed in f32. Rows may lie apart
// (Tensor::row_stride). Leading dimensions of activations count as rows.
#pragma once

#include "core/context.h"

namespace fathom::ops {

enum class Accumulate {
  overwrite,  // the output is replaced
  add,        // the product is added to the output (beta = 1)
};

// On a CPU, products of up to so many rows have a kernel of their own, whose parallel loops are
// core/parallel.h's: it goes over the weight once, in the time in which that comes from memory.
inline constexpr std::int64_t cpu_few_rows = 16;

// Whether a forward pass over so many rows, with activations of this type, has no parallel loops but
// core/parallel.h's, so that with_ready_threads() suits it. On a CPU alone.
bool suits_ready_threads(const Context& context, DType activations, std::int64_t rows);

// y [n, out] (+)= x [n, in] · w [out, in]ᵀ. y has the operands' type, or is f32.
void linear(Context& context, Tensor x, Tensor w, Tensor y,
            Accumulate accumulate = Accumulate::overwrite);

// dx [n, in] (+)= dy [n, out] · w [out, in].
void linear_backward_input(Context& context, Tensor dy, Tensor w, Tensor dx,
                           Accumulate accumulate = Accumulate::overwrite);

// dw [out, in] (+)= dy [n, out]ᵀ · x [n, in]; dw is f32, with no rounding to bf16
// on the way.
void linear_backward_weight(Context& context, Tensor dy, Tensor x, Tensor dw,
                            Accumulate accumulate = Accumulate::add);

}  // namespace fathom::ops
