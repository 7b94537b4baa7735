// The machine's own ceiling: what share of it a run reaches is its speed.
#pragma once

#include "core/context.h"

namespace fathom {

// FLOP/s of a big matrix product (ops::linear) in this precision, measured for
// about `seconds`: the best of the repetitions. Frees what it takes.
double measure_gemm_peak(Context& context, DType dtype, double seconds = 0.3);

}  // namespace fathom
