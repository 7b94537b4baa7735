#include "model/attention_layer.h"

#include "ops/rope.h"

namespace fathom {
namespace {

// The queries, keys and values inside the fused product or its gradient.
struct Qkv {
  Tensor q, k, v;
  Tensor rotated;  // queries and keys together

  Qkv(Tensor qkv, const ops::HeadShape& heads) {
    const std::int64_t query_width = heads.num_heads * heads.head_dim;
    const std::int64_t kv_width = heads.num_kv_heads * heads.head_dim;
    q = qkv.columns(0, query_width);
    k = qkv.columns(query_width, kv_width);
    v = qkv.columns(query_width + kv_width, kv_width);
    rotated = qkv.columns(0, query_width + kv_width);
  }
};

}  // namespace

AttentionLayer::AttentionLayer(const ModelConfig& config, ParameterStore& parameters,
                               const std::string& prefix, Tensor rope_table, Boundary& boundary)
    : boundary_(boundary),
      heads_{config.num_heads, config.num_kv_heads, config.head_dim},
      qkv_(parameters.at(prefix + "attention.qkv.weight")),
      output_(parameters.at(prefix + "attention.output.weight")),
      rope_table_(rope_table) {}

AttentionLayer::Saved AttentionLayer::allocate(Arena& arena, std::int64_t tokens,
                                               DType dtype) const {
  const std::int64_t query_width = heads_.num_heads * heads_.head_dim;
  const std::int64_t kv_width = heads_.num_kv_heads * heads_.head_dim;
  return {arena.take(dtype, {tokens, query_width + 2 * kv_width}),
          arena.take(dtype, {tokens, query_width}),
          arena.take(DType::f32, {heads_.num_heads, tokens})};
}

Leaving AttentionLayer::forward(Context& context, const TokenLayout& tokens,
                                const KvCacheLayer* cache, const Entering& x, const Saved& saved,
                                Tensor y) const {
  boundary_.column_linear(context, x, qkv_, saved.qkv);
  const Qkv qkv(saved.qkv, heads_);
  if (cache) {
    ops::rope_to_cache(context, qkv.rotated, qkv.v, tokens.positions, rope_table_, tokens.slots,
                       cache->k, cache->v);
    ops::paged_attention(context, qkv.q, cache->k, cache->v, tokens.paged, heads_, saved.out);
  } else {
    ops::rope(context, qkv.rotated, tokens.positions, rope_table_, ops::RopeDirection::forward);
    ops::attention(context, qkv.q, qkv.k, qkv.v, tokens.segments, heads_, saved.out, saved.lse);
  }
  return boundary_.row_linear(context, saved.out, output_, y);
}

Leaving AttentionLayer::backward(Context& context, Arena& arena, const TokenLayout& tokens,
                                 const Entering& dy, const Entering& x, const Saved& saved,
                                 Tensor dx) const {
  const ArenaScope scope(arena);
  const Tensor dout = arena.take(dy.tensor.dtype, saved.out.shape);
  boundary_.row_linear_backward(context, dy, saved.out, output_, dout);

  const Tensor dqkv = arena.take(dy.tensor.dtype, saved.qkv.shape);
  const Qkv qkv(saved.qkv, heads_), d(dqkv, heads_);
  ops::attention_backward(context, dout, qkv.q, qkv.k, qkv.v, saved.out, saved.lse, tokens.segments,
                          heads_, d.q, d.k, d.v);
  ops::rope(context, d.rotated, tokens.positions, rope_table_, ops::RopeDirection::backward);

  return boundary_.column_linear_backward(context, dqkv, x, qkv_, dx);
}

}  // namespace fathom
