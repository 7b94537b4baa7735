// The cross-entropy of rows that fit into registers, for cross_entropy.cu.
#pragma once

#include "core/context.h"
#include "ops/cross_entropy.h"

namespace fathom::ops::cuda {

// As cross_entropy(). False, and nothing done, where rows are too long.
bool cross_entropy_in_registers(Context& context, Tensor logits, Tensor targets,
                                LogitsGradient gradient, const LossWeights& weights, Tensor losses);

}  // namespace fathom::ops::cuda
