// Rotary position embedding (Su et al., 2021), in the half-split layout of
// Hugging Face's Llama: element i of a head pairs with element i + head_dim / 2.
#pragma once

#include "core/context.h"

namespace fathom::ops {

enum class RopeDirection {
  forward,   // rotates by +angle
  backward,  // rotates by −angle: the adjoint
};

// Rotates every head of x in place. x: [n, heads · head_dim], f32 or bf16, rows
// may lie apart (queries and keys inside the fused QKV product are one call).
// positions: [n] i32. table: [max_position, head_dim] f32; row p holds the head_dim / 2
// cosines and then the head_dim / 2 sines of position p, so that any scaling of the
// frequencies is done in the table. On the CPU a position outside the
// table throws.
void rope(Context& context, Tensor x, Tensor positions, Tensor table, RopeDirection direction);

}  // namespace fathom::ops
