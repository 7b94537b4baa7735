// Softmax cross-entropy over the vocabulary, in place: inside the operation bf16
// logits become f32, and their gradient is written over them, so that no f32
// copy of the logits exists.
#pragma once

#include <cstdint>

#include "core/context.h"

namespace fathom::ops {

enum class LogitsGradient {
  none,       // the logits stay as they are (evaluation)
  overwrite,  // the logits become grad_scale · d(sum of losses)/d(logits)
};

// losses[i] = log Σ_j exp(logits[i, j]) − logits[i, targets[i]], or 0 where
// targets[i] is −1, whose row of gradients is 0 as well. logits: [n, V] f32 or
// bf16; targets: [n] i32; losses: [n] f32.
void cross_entropy(Context& context, Tensor logits, Tensor targets, LogitsGradient gradient,
                   float grad_scale, Tensor losses);

}  // namespace fathom::ops
