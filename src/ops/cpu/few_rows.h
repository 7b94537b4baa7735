// Products of a few rows of activations with a weight, as generation makes them. Such a product
// takes the time in which the weight comes from memory: these kernels read it once for all rows.
#pragma once

#include "core/context.h"
#include "ops/cpu/instructions.h"
#include "ops/matmul.h"

namespace fathom::ops::cpu {

// Up to so many rows this is faster than the product that prompts and training use, or was on the
// processors without matrix instructions for which it was chosen (docs/performance.md).
inline constexpr std::int64_t max_few_rows = cpu_few_rows;

// y [n, out] (+)= x [n, in] · w [out, in]ᵀ as linear() states it. A row of y depends neither on
// the other rows nor on the number of threads. False, with nothing done, for more than
// max_few_rows rows, and where the workspace does not hold x in f32.
bool linear_of_few_rows(Context& context, Tensor x, Tensor w, Tensor y, Accumulate accumulate,
                        Instructions instructions = widest_instructions());

// The same with as many rows as there are: BatchInvariance::on. Throws a run-time
// Error where the workspace does not hold max_few_rows rows of x in f32.
void linear_of_rows(Context& context, Tensor x, Tensor w, Tensor y, Accumulate accumulate,
                    Instructions instructions = widest_instructions());

}  // namespace fathom::ops::cpu
