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
#include <span>
#include <string>

#include "core/context.h"

namespace fathom::ops {

// Where the segments begin and end in the packed rows; the same for all layers of a step.
struct Segments {
  Tensor offsets;  // [count + 1] i32, ascending, from 0 to n; repeats are empty segments
  std::int64_t max_length = 0;  // upper bound of a segment's length
  // The length of every segment when all are alike and none is empty, else 0. A GPU
  // is up to twice as fast when the host knows that.
  std::int64_t uniform_length = 0;
  bool operator==(const Segments&) const = default;
};

// The segments of `offsets`, whose numbers the host has in `values`.
Segments describe_segments(Tensor offsets, std::span<const std::int32_t> values);

struct HeadShape {
  std::int64_t num_heads = 0;     // query heads, a multiple of num_kv_heads
  std::int64_t num_kv_heads = 0;  // query head i reads key head i / (num_heads / num_kv_heads)
  std::int64_t head_dim = 0;
  float scale() const;  // 1 / sqrt(head_dim)
};

// out = softmax(q kᵀ · scale) v, a head at a time.
// q, out: [n, num_heads · head_dim]; k, v: [n, num_kv_heads · head_dim], f32 or
// bf16, rows may lie apart; lse: [num_heads, n] f32, contiguous, the logarithm of
// the softmax's denominator, kept for the backward. Its order is the device's own:
// the CPU's is as the shape says; CUDA's is [segments, num_heads, uniform_length]
// for uniform segments and [n, num_heads] for others.
void attention(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
               const HeadShape& heads, Tensor out, Tensor lse);

// dq, dk, dv: shaped as q, k, v and overwritten; may lie inside one fused
// gradient; must not overlap q, k, v. dout: shaped as out.
void attention_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v, Tensor out,
                        Tensor lse, const Segments& segments, const HeadShape& heads, Tensor dq,
                        Tensor dk, Tensor dv);

// The largest call of attention that a Context has to be ready for.
struct AttentionBounds {
  std::int64_t tokens = 0;      // n
  std::int64_t max_length = 0;  // of a segment
  bool uniform = true;          // whether all segments are `max_length` long
};
// Bytes of workspace for attention and its backward, whose operands lie in a fused QKV matrix. On a
// GPU: the most that a call takes. On a CPU: what one thread takes; as many threads share the work
// as the workspace has room for.
std::size_t attention_workspace(Device device, DType dtype, const HeadShape& heads,
                                const AttentionBounds& bounds, Determinism determinism);

// Describes what computes attention on `device`: "cuDNN 9.19.0 (/usr/lib/...)", or
// "own kernels" with the reason why not cuDNN.
std::string attention_backend(Device device);

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

// rope() forward of queries and keys and store_kv() of keys and values, on a GPU in one pass over
// memory. x: [n, queries' width + v's width], queries and then keys; its queries are rotated in
// place, and whether its keys are is open. positions, table: as of rope().
void rope_to_cache(Context& context, Tensor x, Tensor v, Tensor positions, Tensor table,
                   Tensor slots, Tensor k_cache, Tensor v_cache);

}  // namespace fathom::ops
