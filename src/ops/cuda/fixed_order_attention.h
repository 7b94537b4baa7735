// Attention to the paged cache whose rows have the same bits whatever the other rows of the call:
// BatchInvariance::on, for prompts and single tokens alike. bf16, heads of 64 or 128, rows at
// multiples of 16 bytes.
#pragma once

#include "ops/attention.h"

namespace fathom::ops::cuda {

void fixed_order_attention(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                           const PagedContext& paged, const HeadShape& heads, Tensor out);

}  // namespace fathom::ops::cuda
