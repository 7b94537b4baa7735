// The cross-entropy of long rows, for cross_entropy.cu.
#pragma once

#include "core/context.h"

namespace fathom::ops::cuda {

// As cross_entropy() with LogitsGradient::overwrite. False, and nothing done, where the
// rows are short or not aligned or the GPU has no clusters of blocks (before Hopper).
bool cross_entropy_by_clusters(Context& context, Tensor logits, Tensor targets, float grad_scale,
                               Tensor losses);

}  // namespace fathom::ops::cuda
