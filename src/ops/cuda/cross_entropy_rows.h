// The cross-entropy of rows that fit into shared memory, for cross_entropy.cu.
#pragma once

#include "core/context.h"
#include "ops/cross_entropy.h"

namespace fathom::ops::cuda {

// As cross_entropy() with LogitsGradient::overwrite. False, and nothing done, where rows are
// short, too long for shared memory or not aligned, or the GPU copies nothing into it by
// itself (before Hopper).
bool cross_entropy_by_rows(Context& context, Tensor logits, Tensor targets,
                           const LossWeights& weights, Tensor losses);

}  // namespace fathom::ops::cuda
