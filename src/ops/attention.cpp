#include "ops/attention.h"

#include <algorithm>
#include <cmath>

#include "ops/check.h"
#include "ops/dispatch.h"
#include "ops/rope_check.h"

namespace fathom::ops {

float HeadShape::scale() const {
  return 1.0f / std::sqrt(static_cast<float>(head_dim));
}

namespace {

void check_heads(const Check& check, const HeadShape& heads) {
  check.that(heads.num_heads > 0 && heads.num_kv_heads > 0 && heads.head_dim > 0,
             "num_heads, num_kv_heads and head_dim must be positive");
  check.that(heads.num_heads % heads.num_kv_heads == 0,
             "num_heads must be a multiple of num_kv_heads");
}

Shape query_shape(const Tensor& q, const HeadShape& heads) {
  return {q.shape[0], heads.num_heads * heads.head_dim};
}
Shape key_shape(const Tensor& q, const HeadShape& heads) {
  return {q.shape[0], heads.num_kv_heads * heads.head_dim};
}

// Checks the arguments that forward and backward have in common.
void check_packed(const Check& check, const Context& context, const Tensor& q, const Tensor& k,
                  const Tensor& v, const Tensor& out, const Tensor& lse, const Segments& segments,
                  const HeadShape& heads) {
  check.on(context).rank({"q", q}, 2).floating({"q", q});
  check_heads(check, heads);
  check.shaped({"q", q}, query_shape(q, heads)).shaped({"out", out}, query_shape(q, heads));
  check.shaped({"k", k}, key_shape(q, heads)).shaped({"v", v}, key_shape(q, heads));
  check.shaped({"lse", lse}, {heads.num_heads, q.shape[0]}).is({"lse", lse}, DType::f32);
  check.contiguous({"lse", lse});
  for (const Argument& argument : {Argument("k", k), {"v", v}, {"out", out}}) {
    check.same_type({"q", q}, argument);
  }
  const Argument offsets("offsets", segments.offsets);
  check.rank(offsets, 1).is(offsets, DType::i32);
  check.that(segments.offsets.elements() > 0, "offsets must hold at least one number");
  check.that(segments.uniform_length == 0 ||
                 (segments.offsets.elements() - 1) * segments.uniform_length == q.shape[0],
             "uniform_length times the number of segments must be the number of rows of q");
}

// Checks the values of the offsets, which only a CPU's memory lets us read here.
void check_offsets(const Check& check, const Segments& segments, std::int64_t rows) {
  if (segments.offsets.device != cpu_device) return;
  const std::int32_t* offsets = segments.offsets.as<std::int32_t>();
  const std::int64_t count = segments.offsets.elements() - 1;
  check.that(offsets[0] == 0 && offsets[count] == rows,
             "offsets must go from 0 to the number of rows of q");
  for (std::int64_t i = 0; i < count; ++i) {
    check.that(offsets[i] <= offsets[i + 1], "offsets must ascend");
    check.that(offsets[i + 1] - offsets[i] <= segments.max_length,
               "a segment is longer than max_length");
    check.that(
        segments.uniform_length == 0 || offsets[i + 1] - offsets[i] == segments.uniform_length,
        "a segment is not uniform_length long");
  }
}

void check_paged_numbers(const Check& check, const PagedContext& paged, std::int64_t rows,
                         const Shape& cache) {
  if (paged.query_offsets.device != cpu_device) return;
  const std::int64_t sequences = paged.context_lengths.elements();
  const std::int32_t* offsets = paged.query_offsets.as<std::int32_t>();
  const std::int32_t* lengths = paged.context_lengths.as<std::int32_t>();
  check.that(offsets[0] == 0 && offsets[sequences] == rows,
             "query_offsets must go from 0 to the number of rows of q");
  for (std::int64_t s = 0; s < sequences; ++s) {
    const std::int64_t queries = offsets[s + 1] - offsets[s], length = lengths[s];
    check.that(queries >= 0, "query_offsets must ascend");
    check.that(queries <= length, "a sequence has more queries than its context has tokens");
    check.that(queries <= paged.max_queries, "a sequence has more than max_queries queries");
    check.that(length <= paged.max_context, "a context is longer than max_context");
    const std::int64_t pages = (length + cache[1] - 1) / cache[1];
    check.that(pages <= paged.block_table.cols(),
               "a context is longer than its row of block_table");
    const std::int32_t* table =
        paged.block_table.as<std::int32_t>() + s * paged.block_table.row_stride;
    for (std::int64_t i = 0; i < pages; ++i) {
      check.that(table[i] >= 0 && table[i] < cache[0],
                 "block_table names a page outside the cache");
    }
  }
}

void check_cache(const Check& check, const Tensor& k_cache, const Tensor& v_cache) {
  check.rank({"k_cache", k_cache}, 3).shaped({"v_cache", v_cache}, k_cache.shape);
  check.floating({"k_cache", k_cache}).same_type({"k_cache", k_cache}, {"v_cache", v_cache});
  check.that(k_cache.shape[1] > 0, "a page must hold at least one token");
}

// Rows of `stored` ([n, width]) go to the cache at `slots`.
void check_stored_rows(const Check& check, const Shape& stored, Tensor slots, Tensor k_cache,
                       Tensor v_cache) {
  check_cache(check, k_cache, v_cache);
  check.shaped({"k_cache", k_cache}, {k_cache.shape[0], k_cache.shape[1], stored[1]});
  check.shaped({"slots", slots}, {stored[0]}).is({"slots", slots}, DType::i32);
  if (slots.device != cpu_device) return;
  const std::int64_t rows = k_cache.shape[0] * k_cache.shape[1];
  for (std::int64_t i = 0; i < slots.elements(); ++i) {
    const std::int32_t slot = slots.as<std::int32_t>()[i];
    check.that(slot >= -1 && slot < rows, "a slot lies outside the cache");
  }
}

}  // namespace

Segments describe_segments(Tensor offsets, std::span<const std::int32_t> values) {
  Segments segments{offsets};
  bool uniform = true;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const std::int64_t length = values[i] - values[i - 1];
    uniform = uniform && length == values[1] - values[0];
    segments.max_length = std::max(segments.max_length, length);
  }
  if (uniform) segments.uniform_length = segments.max_length;
  return segments;
}

std::size_t attention_workspace(Device device, DType dtype, const HeadShape& heads,
                                const AttentionBounds& bounds, Determinism determinism) {
  switch (device.type) {
    case DeviceType::cpu:
      return cpu::attention_workspace(dtype, heads, bounds);
    case DeviceType::cuda:
      return cuda::attention_workspace(dtype, heads, bounds, determinism);
    case DeviceType::meta:
      return 0;
  }
  return 0;
}

std::string attention_backend(Device device) {
  return device.type == DeviceType::cuda ? cuda::attention_backend() : "own kernels";
}

void attention(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
               const HeadShape& heads, Tensor out, Tensor lse) {
  const Check check(
      "attention",
      {{"q", q}, {"k", k}, {"v", v}, {"offsets", segments.offsets}, {"out", out}, {"lse", lse}});
  check_packed(check, context, q, k, v, out, lse, segments, heads);
  check_offsets(check, segments, q.shape[0]);
  on_device(context, cpu::attention, cuda::attention, q, k, v, segments, heads, out, lse);
}

void attention_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v, Tensor out,
                        Tensor lse, const Segments& segments, const HeadShape& heads, Tensor dq,
                        Tensor dk, Tensor dv) {
  const Check check("attention_backward", {{"dout", dout},
                                           {"q", q},
                                           {"k", k},
                                           {"v", v},
                                           {"out", out},
                                           {"lse", lse},
                                           {"offsets", segments.offsets},
                                           {"dq", dq},
                                           {"dk", dk},
                                           {"dv", dv}});
  check_packed(check, context, q, k, v, out, lse, segments, heads);
  check.shaped({"dout", dout}, query_shape(q, heads)).shaped({"dq", dq}, query_shape(q, heads));
  check.shaped({"dk", dk}, key_shape(q, heads)).shaped({"dv", dv}, key_shape(q, heads));
  for (const Argument& argument : {Argument("dout", dout), {"dq", dq}, {"dk", dk}, {"dv", dv}}) {
    check.same_type({"q", q}, argument);
  }
  check_offsets(check, segments, q.shape[0]);
  on_device(context, cpu::attention_backward, cuda::attention_backward, dout, q, k, v, out, lse,
            segments, heads, dq, dk, dv);
}

void paged_attention(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                     const PagedContext& paged, const HeadShape& heads, Tensor out) {
  const Argument query_offsets("query_offsets", paged.query_offsets);
  const Argument context_lengths("context_lengths", paged.context_lengths);
  const Argument block_table("block_table", paged.block_table);
  const Check check("paged_attention", {{"q", q},
                                        {"k_cache", k_cache},
                                        {"v_cache", v_cache},
                                        query_offsets,
                                        context_lengths,
                                        block_table,
                                        {"out", out}});
  check.on(context).rank({"q", q}, 2).same_type({"q", q}, {"out", out});
  check_heads(check, heads);
  check.shaped({"q", q}, query_shape(q, heads)).shaped({"out", out}, query_shape(q, heads));
  check_cache(check, k_cache, v_cache);
  check.same_type({"q", q}, {"k_cache", k_cache});
  check.shaped({"k_cache", k_cache},
               {k_cache.shape[0], k_cache.shape[1], heads.num_kv_heads * heads.head_dim});
  check.rank(context_lengths, 1).is(context_lengths, DType::i32);
  const std::int64_t sequences = paged.context_lengths.elements();
  check.shaped(query_offsets, {sequences + 1}).is(query_offsets, DType::i32);
  check.rank(block_table, 2).is(block_table, DType::i32);
  check.shaped(block_table, {sequences, paged.block_table.cols()});
  check_paged_numbers(check, paged, q.shape[0], k_cache.shape);
  on_device(context, cpu::paged_attention, cuda::paged_attention, q, k_cache, v_cache, paged, heads,
            out);
}

void store_kv(Context& context, Tensor k, Tensor v, Tensor slots, Tensor k_cache, Tensor v_cache) {
  const Check check(
      "store_kv",
      {{"k", k}, {"v", v}, {"slots", slots}, {"k_cache", k_cache}, {"v_cache", v_cache}});
  check.on(context).rank({"k", k}, 2).shaped({"v", v}, k.shape).same_type({"k", k}, {"v", v});
  check.same_type({"k", k}, {"k_cache", k_cache});
  check_stored_rows(check, k.shape, slots, k_cache, v_cache);
  on_device(context, cpu::store_kv, cuda::store_kv, k, v, slots, k_cache, v_cache);
}

void rope_to_cache(Context& context, Tensor x, Tensor v, Tensor positions, Tensor table,
                   Tensor slots, Tensor k_cache, Tensor v_cache) {
  const Argument arg_x{"x", x}, arg_v{"v", v}, arg_positions{"positions", positions},
      arg_table{"table", table};
  const Check check("rope_to_cache", {arg_x,
                                      arg_v,
                                      arg_positions,
                                      arg_table,
                                      {"slots", slots},
                                      {"k_cache", k_cache},
                                      {"v_cache", v_cache}});
  check.on(context).rank(arg_x, 2).floating(arg_x).rank(arg_v, 2).same_type(arg_x, arg_v);
  check.shaped(arg_v, {x.shape[0], v.shape[1]});
  check_rotation(check, arg_x, arg_positions, arg_table);
  check.that(v.shape[1] % table.shape[1] == 0 && v.shape[1] < x.shape[1],
             "v's width must be a multiple of head_dim, and less than x's");
  check.same_type(arg_v, {"k_cache", k_cache});
  check_stored_rows(check, v.shape, slots, k_cache, v_cache);
  on_device(context, cpu::rope_to_cache, cuda::rope_to_cache, x, v, positions, table, slots,
            k_cache, v_cache);
}

}  // namespace fathom::ops
