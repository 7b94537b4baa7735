// Attention by our own kernels, a query row at a time: any type and alignment, heads up to
// 256 wide. Slow but general: for the calls that neither cuDNN nor attention_tiles.h supports.
#pragma once

#include "ops/attention.h"

namespace fathom::ops::cuda {

void attention_rows(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
                    const HeadShape& heads, Tensor out, Tensor lse);
void attention_rows_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v,
                             Tensor out, Tensor lse, const Segments& segments,
                             const HeadShape& heads, Tensor dq, Tensor dk, Tensor dv);

// Bytes of workspace for `tokens` packed tokens.
inline std::size_t rows_workspace(const HeadShape& heads, std::int64_t tokens) {
  return static_cast<std::size_t>(heads.num_heads * tokens * 4 + 256);
}

}  // namespace fathom::ops::cuda
