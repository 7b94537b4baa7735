// RMSNorm (Zhang and Sennrich, 2019) fused with the residual addition before it.
#pragma once

#include "core/context.h"

namespace fathom::ops {

// h = residual + delta, y = h · rstd · weight, rstd = 1 / sqrt(mean(h²) + epsilon).
//
// residual, delta, h, y: [n, d], f32 or bf16; weight: [d] of the same type;
// rstd: [n] f32. `delta` may be left out (Tensor{}): then h = residual, and `h`
// must be left out too. `h` may be the same memory as `residual` or `delta`.
void add_rmsnorm(Context& context, Tensor residual, Tensor delta, Tensor weight, float epsilon,
                 Tensor h, Tensor y, Tensor rstd);

// With dy the gradient of y, and dh on entry the gradient that reaches h along
// the residual stream: adds the norm's share to dh, so that on return it is the
// gradient of both residual and delta; adds to dweight.
//
//   dh += rstd · (dy · weight − ĥ · mean(dy · weight · ĥ)),  ĥ = h · rstd
//   dweight += Σ_rows dy · ĥ
//
// dy, h, dh: [n, d]; weight: [d]; rstd: [n] f32; dweight: [d] f32. `dh` may be the
// same memory as `dy` only with Incoming::none.
enum class Incoming {
  add,   // dh holds a gradient on entry
  none,  // dh is undefined on entry and counts as zero
};
void add_rmsnorm_backward(Context& context, Tensor dy, Tensor h, Tensor weight, Tensor rstd,
                          Incoming incoming, Tensor dh, Tensor dweight);

}  // namespace fathom::ops
