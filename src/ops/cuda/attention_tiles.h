// Attention by our own kernels on tensor cores: bf16, heads of 64 or 128, rows at
// multiples of 16 bytes. Prompts over the paged cache, and packed segments where
// cuDNN is not there or cannot.
#pragma once

#include "ops/attention.h"

namespace fathom::ops::cuda {

// Whether rows of `tensor` can be read 16 bytes at a time.
bool tiles_take(const HeadShape& heads, const Tensor& tensor);

void attention_tiles(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
                     const HeadShape& heads, Tensor out, Tensor lse);

// Takes num_heads · n floats of workspace. The same bits every time.
void attention_tiles_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v,
                              Tensor out, Tensor lse, const Segments& segments,
                              const HeadShape& heads, Tensor dq, Tensor dk, Tensor dv);

// The sequences of at least `least_queries` queries; the rows of others stay as they are.
void paged_tiles(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                 const PagedContext& paged, const HeadShape& heads, std::int64_t least_queries,
                 Tensor out);

}  // namespace fathom::ops::cuda
