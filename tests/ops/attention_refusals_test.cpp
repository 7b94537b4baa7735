// Each argument of attention and of the KV cache, wrong in one way at a time, and the sizes that are
// just right. On the meta device, where a check that is missing lets the call pass.
#include "ops/attention.h"

#include <gtest/gtest.h>

#include <functional>

#include "ops/refusals.h"

namespace fathom::ops {
namespace {

using namespace refusals;

// A call of attention on operands that are right until one of them is changed.
struct Packed {
  Tensor q = f32({4, 16}), k = f32({4, 8}), v = k, out = q, lse = f32({2, 4}), dout = q, dq = q,
         dk = k, dv = k;
  Segments segments{i32({3}), 4};
  HeadShape heads{2, 1, 8};

  void forward(Context& c) const { attention(c, q, k, v, segments, heads, out, lse); }
  void backward(Context& c) const {
    attention_backward(c, dout, q, k, v, out, lse, segments, heads, dq, dk, dv);
  }
};

TEST(Refusals, Attention) {
  struct Case {
    const char* problem;
    std::function<void(Packed&)> change;
  };
  const char* const positive = "num_heads, num_kv_heads and head_dim must be positive";
  const Case both[] = {
      {"q is not on meta, where the operation runs", [](Packed& p) { p.q = on_cpu(p.q); }},
      {"q must have 2 dimensions",
       [](Packed& p) {
         p.q = f32({4, 2, 8});
       }},
      {"q must be f32 or bf16",
       [](Packed& p) {
         p.q = i32({4, 16});
       }},
      {positive,
       [](Packed& p) {
         p.q = p.out = f32({4, 0}), p.heads = {0, 1, 8};
       }},
      {positive,
       [](Packed& p) {
         p.heads = {2, 0, 8};
       }},
      {positive,
       [](Packed& p) {
         p.heads = {2, 1, 0};
       }},
      {"num_heads must be a multiple of num_kv_heads",
       [](Packed& p) {
         p.heads = {3, 2, 8};
       }},
      {"q must be [4, 32]",
       [](Packed& p) {
         p.heads = {4, 1, 8};
       }},
      {"out must be [4, 16]",
       [](Packed& p) {
         p.out = f32({5, 16});
       }},
      {"k must be [4, 8]",
       [](Packed& p) {
         p.k = f32({4, 16});
       }},
      {"v must be [4, 8]",
       [](Packed& p) {
         p.v = f32({3, 8});
       }},
      {"lse must be [2, 4]",
       [](Packed& p) {
         p.lse = f32({4, 2});
       }},
      {"lse must be f32",
       [](Packed& p) {
         p.lse = bf16({2, 4});
       }},
      {"lse must be contiguous", [](Packed& p) { p.lse = apart(p.lse); }},
      {"the types of q and k differ",
       [](Packed& p) {
         p.k = bf16({4, 8});
       }},
      {"the types of q and v differ",
       [](Packed& p) {
         p.v = bf16({4, 8});
       }},
      {"the types of q and out differ",
       [](Packed& p) {
         p.out = bf16({4, 16});
       }},
      {"offsets must have 1 dimension",
       [](Packed& p) {
         p.segments.offsets = i32({3, 1});
       }},
      {"offsets must be i32", [](Packed& p) { p.segments.offsets = f32({3}); }},
      {"offsets must hold at least one number", [](Packed& p) { p.segments.offsets = i32({0}); }},
      {"uniform_length times the number of segments must be the number of rows of q",
       [](Packed& p) { p.segments.uniform_length = 3; }},
  };
  const Case of_backward[] = {
      {"dout must be [4, 16]",
       [](Packed& p) {
         p.dout = f32({4, 8});
       }},
      {"dq must be [4, 16]",
       [](Packed& p) {
         p.dq = f32({4, 8});
       }},
      {"dk must be [4, 8]",
       [](Packed& p) {
         p.dk = f32({4, 16});
       }},
      {"dv must be [4, 8]",
       [](Packed& p) {
         p.dv = f32({4, 16});
       }},
      {"the types of q and dout differ",
       [](Packed& p) {
         p.dout = bf16({4, 16});
       }},
      {"the types of q and dq differ",
       [](Packed& p) {
         p.dq = bf16({4, 16});
       }},
      {"the types of q and dk differ",
       [](Packed& p) {
         p.dk = bf16({4, 8});
       }},
      {"the types of q and dv differ",
       [](Packed& p) {
         p.dv = bf16({4, 8});
       }},
  };
  for (const Case& c : both) {
    Packed packed;
    c.change(packed);
    expect_refused({{c.problem, [&](Context& context) { packed.forward(context); }},
                    {c.problem, [&](Context& context) { packed.backward(context); }}});
  }
  for (const Case& c : of_backward) {
    Packed packed;
    c.change(packed);
    expect_refused({{c.problem, [&](Context& context) { packed.backward(context); }}});
  }
  Context context(meta_device);
  Packed packed;
  packed.forward(context);
  packed.backward(context);
  packed.segments.uniform_length = 2;
  packed.forward(context);
}

TEST(Refusals, PagedAttention) {
  struct Paged {
    Tensor q = f32({5, 16}), k = f32({7, 4, 8}), v = k, out = q;
    PagedContext paged{i32({3}), i32({2}), i32({2, 3}), 3, 9};
    HeadShape heads{2, 1, 8};
  };
  struct Case {
    const char* problem;
    std::function<void(Paged&)> change;
  };
  const Case cases[] = {
      {"q is not on meta, where the operation runs", [](Paged& p) { p.q = on_cpu(p.q); }},
      {"q must have 2 dimensions", [](Paged& p) { p.q = f32({16}); }},
      {"the types of q and out differ",
       [](Paged& p) {
         p.out = bf16({5, 16});
       }},
      {"num_heads must be a multiple of num_kv_heads",
       [](Paged& p) {
         p.heads = {3, 2, 8};
       }},
      {"q must be [5, 32]",
       [](Paged& p) {
         p.heads = {4, 1, 8};
       }},
      {"out must be [5, 16]",
       [](Paged& p) {
         p.out = f32({4, 16});
       }},
      {"k_cache must have 3 dimensions",
       [](Paged& p) {
         p.k = p.v = f32({28, 8});
       }},
      {"v_cache must be [7, 4, 8]",
       [](Paged& p) {
         p.v = f32({6, 4, 8});
       }},
      {"k_cache must be f32 or bf16",
       [](Paged& p) {
         p.k = p.v = i32({7, 4, 8});
       }},
      {"the types of k_cache and v_cache differ",
       [](Paged& p) {
         p.v = bf16({7, 4, 8});
       }},
      {"a page must hold at least one token",
       [](Paged& p) {
         p.k = p.v = f32({7, 0, 8});
       }},
      {"the types of q and k_cache differ",
       [](Paged& p) {
         p.k = p.v = bf16({7, 4, 8});
       }},
      {"k_cache must be [7, 4, 16]",
       [](Paged& p) {
         p.heads = {2, 2, 8};
       }},
      {"context_lengths must have 1 dimension",
       [](Paged& p) {
         p.paged.context_lengths = i32({2, 1});
       }},
      {"context_lengths must be i32", [](Paged& p) { p.paged.context_lengths = f32({2}); }},
      {"query_offsets must be [3]", [](Paged& p) { p.paged.query_offsets = i32({2}); }},
      {"query_offsets must be i32", [](Paged& p) { p.paged.query_offsets = f32({3}); }},
      {"block_table must have 2 dimensions", [](Paged& p) { p.paged.block_table = i32({6}); }},
      {"block_table must be i32",
       [](Paged& p) {
         p.paged.block_table = f32({2, 3});
       }},
      {"block_table must be [2, 3]",
       [](Paged& p) {
         p.paged.block_table = i32({3, 3});
       }},
  };
  const auto attend = [](const Paged& p) {
    return [&p](Context& c) { paged_attention(c, p.q, p.k, p.v, p.paged, p.heads, p.out); };
  };
  for (const Case& c : cases) {
    Paged paged;
    c.change(paged);
    expect_refused({{c.problem, attend(paged)}});
  }
  Context context(meta_device);
  attend(Paged{})(context);
}

TEST(Refusals, StoreKv) {
  const auto store = [](Tensor k, Tensor v, Tensor slots, Tensor k_cache, Tensor v_cache) {
    return [=](Context& c) { store_kv(c, k, v, slots, k_cache, v_cache); };
  };
  const Tensor k = f32({5, 8}), slots = i32({5}), cache = f32({7, 4, 8});
  expect_refused({
      {"k is not on meta, where the operation runs", store(on_cpu(k), k, slots, cache, cache)},
      {"k must have 2 dimensions", store(f32({8}), f32({8}), i32({8}), cache, cache)},
      {"v must be [5, 8]", store(k, f32({4, 8}), slots, cache, cache)},
      {"the types of k and v differ", store(k, bf16({5, 8}), slots, cache, cache)},
      {"v_cache must be [7, 4, 8]", store(k, k, slots, cache, f32({7, 4, 9}))},
      {"a page must hold at least one token", store(k, k, slots, f32({7, 0, 8}), f32({7, 0, 8}))},
      {"the types of k and k_cache differ", store(k, k, slots, bf16({7, 4, 8}), bf16({7, 4, 8}))},
      {"k_cache must be [7, 4, 8]", store(k, k, slots, f32({7, 4, 9}), f32({7, 4, 9}))},
      {"slots must be [5]", store(k, k, i32({4}), cache, cache)},
      {"slots must be i32", store(k, k, f32({5}), cache, cache)},
  });
  Context context(meta_device);
  store(k, k, slots, cache, cache)(context);
}

TEST(Refusals, RopeToCache) {
  const auto store = [](Tensor x, Tensor v, Tensor positions, Tensor table, Tensor slots,
                        Tensor cache) {
    return [=](Context& c) { rope_to_cache(c, x, v, positions, table, slots, cache, cache); };
  };
  const Tensor x = f32({5, 24}), v = f32({5, 8}), positions = i32({5}), table = f32({9, 4}),
               slots = i32({5}), cache = f32({7, 4, 8});
  const char* const wrong_v = "v's width must be a multiple of head_dim, and less than x's";
  expect_refused({
      {"x must have 2 dimensions", store(f32({24}), v, positions, table, slots, cache)},
      {"the types of x and v differ", store(x, bf16({5, 8}), positions, table, slots, cache)},
      {"v must be [5, 8]", store(x, f32({4, 8}), positions, table, slots, cache)},
      {"positions must be [5]", store(x, v, i32({4}), table, slots, cache)},
      {"table must be f32", store(x, v, positions, bf16({9, 4}), slots, cache)},
      {"the table's width, head_dim, must be even",
       store(x, v, positions, f32({9, 3}), slots, cache)},
      {"x's width must be a multiple of head_dim",
       store(f32({5, 22}), v, positions, table, slots, cache)},
      {wrong_v, store(x, f32({5, 6}), positions, table, slots, cache)},
      {wrong_v, store(x, f32({5, 24}), positions, table, slots, cache)},
      {"the types of v and k_cache differ",
       store(x, v, positions, table, slots, bf16({7, 4, 8}))},
      {"k_cache must be [7, 4, 8]", store(x, v, positions, table, slots, f32({7, 4, 9}))},
      {"slots must be [5]", store(x, v, positions, table, i32({4}), cache)},
  });
  Context context(meta_device);
  store(x, v, positions, table, slots, cache)(context);
}

TEST(AttentionBackend, OfTheCpuIsItsOwn) {
  EXPECT_EQ(attention_backend(cpu_device), "own kernels");
}

}  // namespace
}  // namespace fathom::ops
