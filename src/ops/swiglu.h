// The gated activation of SwiGLU (Shazeer, 2020): y = silu(gate) · up.
#pragma once

#include "core/context.h"

namespace fathom::ops {

// gate_up: [n, 2f], the gate's f columns first; y: [n, f]. f32 or bf16.
void swiglu(Context& context, Tensor gate_up, Tensor y);

// dgate_up: [n, 2f], may be the same memory as gate_up. With s = sigmoid(gate):
//   dgate = dy · up · s · (1 + gate · (1 − s)),  dup = dy · gate · s
void swiglu_backward(Context& context, Tensor dy, Tensor gate_up, Tensor dgate_up);

}  // namespace fathom::ops
