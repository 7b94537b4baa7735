// Causal scaled-dot-product attention without a T × T matrix in memory: blocks
// with an online softmax (Dao et al., FlashAttention, 2022), with grouped-query
// heads (Ainslie et al., 2023).
//
// Tokens come packed: the rows of q, k and v are the tokens of all segments one
// after another, and a token attends to those of its own segment up to itself.
// A batch of B sequences is B segments of length T; keeping attention inside
// documents is a matter of finer segments, not of a mask.
#pragma once

#include <cstdint>

#include "core/context.h"

namespace fathom::ops {

// The packing, the same for all layers of a step.
struct Segments {
  Tensor offsets;  // [count + 1] i32, ascending, from 0 to n; repeats are empty segments
  std::int64_t max_length = 0;  // upper bound of a segment's length
};

struct HeadShape {
  std::int64_t num_heads = 0;     // query heads, a multiple of num_kv_heads
  std::int64_t num_kv_heads = 0;  // query head i reads key head i / (num_heads / num_kv_heads)
  std::int64_t head_dim = 0;
  float scale() const;  // 1 / sqrt(head_dim)
};

// out = softmax(q kᵀ · scale) v, a head at a time.
// q, out: [n, num_heads · head_dim]; k, v: [n, num_kv_heads · head_dim], f32 or
// bf16, rows may lie apart; lse: [num_heads, n] f32, the logarithm of the
// softmax's denominator, kept for the backward.
void attention(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
               const HeadShape& heads, Tensor out, Tensor lse);

// dq, dk, dv: shaped as q, k, v and overwritten; may lie inside one fused
// gradient; must not overlap q, k, v. dout: shaped as out.
void attention_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v, Tensor out,
                        Tensor lse, const Segments& segments, const HeadShape& heads, Tensor dq,
                        Tensor dk, Tensor dv);

// Attention of new tokens to a paged cache that already holds their keys and
// values: generation and evaluation, prompts and single tokens alike.
//
// Sequence s owns the query rows [query_offsets[s], query_offsets[s + 1]), the
// last ones of its context of context_lengths[s] tokens. Token t of the context
// lies in page block_table[s, t / page_size], row t % page_size.
// k_cache, v_cache: [pages, page_size, num_kv_heads · head_dim].
struct PagedContext {
  Tensor query_offsets;          // [sequences + 1] i32
  Tensor context_lengths;        // [sequences] i32, queries included
  Tensor block_table;            // [sequences, max_pages] i32
  std::int64_t max_queries = 0;  // upper bounds over the sequences
  std::int64_t max_context = 0;
};
void paged_attention(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                     const PagedContext& paged, const HeadShape& heads, Tensor out);

// Copies row i of k and v ([n, num_kv_heads · head_dim]) to cache row slots[i]
// ([n] i32, page · page_size + row); −1 is skipped.
void store_kv(Context& context, Tensor k, Tensor v, Tensor slots, Tensor k_cache, Tensor v_cache);

}  // namespace fathom::ops
