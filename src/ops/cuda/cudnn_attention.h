// Attention by cuDNN: the calls that it takes, and its plans kept by shape.
#pragma once

#include "ops/attention.h"

namespace fathom::ops::cuda {

// One call's arguments; those of the gradients are absent in the forward.
struct AttentionCall {
  Tensor q, k, v, out, lse;
  const Segments& segments;
  const HeadShape& heads;
  Tensor dout{}, dq{}, dk{}, dv{};
};

// Whether cuDNN has kernels for heads of this size: 32 to 128 in steps of 8.
bool cudnn_takes(const HeadShape& heads);

// Whether cuDNN computes this call: bf16, such heads, rows at multiples of 16
// bytes; ragged segments on Hopper and later, and their backward where the order of
// sums is free and each gradient's rows lie as far apart as those of what it is of.
bool cudnn_takes(const Context& context, const AttentionCall& call);

void cudnn_attention(Context& context, const AttentionCall& call);
void cudnn_attention_backward(Context& context, const AttentionCall& call);

// See ops::attention_workspace; bf16.
std::size_t cudnn_workspace(const HeadShape& heads, const AttentionBounds& bounds,
                            Determinism determinism);

}  // namespace fathom::ops::cuda
