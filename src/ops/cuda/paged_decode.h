// Attention of a few new tokens to a long paged context: what generation runs, bound
// by reading the cache once. bf16, heads of 64 or 128, rows at multiples of 16 bytes.
#pragma once

#include "ops/attention.h"

namespace fathom::ops::cuda {

// Sequences with at most so many queries are decoded; those with more are prompts.
inline constexpr std::int64_t most_decode_queries = 4;

// The sequences of at most `most_decode_queries` queries; the rows of others stay as
// they are.
void paged_decode(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                  const PagedContext& paged, const HeadShape& heads, Tensor out);

}  // namespace fathom::ops::cuda
