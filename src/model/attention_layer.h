// The attention sub-layer:
//
//   forward                              backward
//   qkv = x Wqkvᵀ                        dout = dy Wo          dWo += dyᵀ out
//   q, k = rope(q), rope(k)              dq, dk, dv = attention_backward(dout)
//   out = attention(q, k, v)             dq, dk = rope⁻¹(dq), rope⁻¹(dk)
//   y = out Woᵀ                          dx = dqkv Wqkv        dWqkv += dqkvᵀ x
#pragma once

#include "model/boundary.h"
#include "model/token_layout.h"

namespace fathom {

class AttentionLayer {
 public:
  struct Saved {
    Tensor qkv;  // [n, query_width + 2 kv_width], queries and keys rotated
    Tensor out;  // [n, query_width]
    Tensor lse;  // [num_heads, n] f32
  };

  AttentionLayer(const ModelConfig& config, ParameterStore& parameters, const std::string& prefix,
                 Tensor rope_table, Boundary& boundary);

  Saved allocate(Arena& arena, std::int64_t tokens, DType dtype) const;

  // x, y: [n, d]. Fills `saved`. `cache`: null, or this layer's keys and values.
  Leaving forward(Context& context, const TokenLayout& tokens, const KvCacheLayer* cache,
                  const Entering& x, const Saved& saved, Tensor y) const;
  // Overwrites dx; adds to the parameters' gradients. Takes scratch from `arena`.
  Leaving backward(Context& context, Arena& arena, const TokenLayout& tokens, const Entering& dy,
                   const Entering& x, const Saved& saved, Tensor dx) const;

 private:
  Boundary& boundary_;
  ops::HeadShape heads_;
  Linear qkv_, output_;
  Tensor rope_table_;
};

}  // namespace fathom
