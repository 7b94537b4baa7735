// The machine's peak FLOP/s, to which a run's speed is compared.
#pragma once

#include "core/context.h"

namespace fathom {

// FLOP/s of a big matrix product (ops::linear) in this precision, measured for
// about `seconds`: the best of the repetitions. Frees what it takes.
double measure_gemm_peak(Context& context, DType dtype, double seconds = 0.3);

}  // namespace fathom
