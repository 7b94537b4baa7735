// Chooses how attention is computed.
#include "ops/cuda/attention_rows.h"
#include "ops/dispatch.h"

namespace fathom::ops::cuda {

void attention(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
               const HeadShape& heads, Tensor out, Tensor lse) {
  attention_rows(context, q, k, v, segments, heads, out, lse);
}

void attention_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v, Tensor out,
                        Tensor lse, const Segments& segments, const HeadShape& heads, Tensor dq,
                        Tensor dk, Tensor dv) {
  attention_rows_backward(context, dout, q, k, v, out, lse, segments, heads, dq, dk, dv);
}

}  // namespace fathom::ops::cuda
