// What each operation of a training step computes and moves, counted by hand.
#include "measure/cost.h"

#include <gtest/gtest.h>

#include "measure/recorded_operation.h"
#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/fp8.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/swiglu.h"

namespace fathom::measure {
namespace {

using ops::Accumulate;
using test::meta;
using test::recorded;

constexpr std::int64_t n = 96, d = 64, f = 160, vocabulary = 352, heads = 4, kv_heads = 2;
constexpr std::int64_t head_dim = d / heads, qkv = d + 2 * kv_heads * head_dim;

ModelConfig model() {
  ModelConfig m;
  m.num_layers = 1;
  m.hidden_size = d;
  m.num_heads = heads;
  m.num_kv_heads = kv_heads;
  m.intermediate_size = f;
  m.vocab_size = vocabulary;
  return resolve(m);
}

OperationCost cost(const std::function<void(Context&)>& call) {
  return cost_of(recorded(call), model());
}

OperationCost forward(std::int64_t in, std::int64_t out) {
  return cost([=](Context& c) { ops::linear(c, meta({n, in}), meta({out, in}), meta({n, out})); });
}

TEST(OperationCost, AProductIsNamedByItsWeight) {
  EXPECT_EQ(forward(d, qkv).name, "qkv");
  EXPECT_EQ(forward(d, d).name, "output");
  EXPECT_EQ(forward(d, 2 * f).name, "gate_up");
  EXPECT_EQ(forward(f, d).name, "down");
  EXPECT_EQ(forward(d, vocabulary).name, "head");
  EXPECT_EQ(forward(d, 7).name, "product");
  EXPECT_EQ(forward(f, d).shape, "96 x 160 x 64");
}

ops::Fp8Matrix fp8(std::int64_t rows, std::int64_t cols) {
  return {meta({rows, cols}, DType::u8), meta({1}, DType::f32)};
}

TEST(OperationCost, AnFp8ProductIsNamedByItsRole) {
  using enum ops::Fp8Role;
  const auto y = [](std::int64_t in, std::int64_t out) {
    return cost([=](Context& c) {
      ops::linear_fp8(c, fp8(n, in), fp8(out, in), meta({n, out}), output);
    });
  };
  EXPECT_EQ(y(d, d).name, "output");
  EXPECT_EQ(y(f, d).name, "down");
  EXPECT_EQ(y(f, d).bound, Bound::products);
  EXPECT_EQ(y(f, d).flops, 2.0 * n * d * f);
  EXPECT_EQ(y(f, d).bytes, n * f + f * d + 2.0 * n * d);
  const auto dx = [](std::int64_t in, std::int64_t out) {
    return cost([=](Context& c) {
      ops::linear_fp8(c, fp8(n, out), fp8(in, out), meta({n, in}), input_gradient);
    });
  };
  EXPECT_EQ(dx(d, d).name, "output dgrad");
  EXPECT_EQ(dx(f, d).name, "down dgrad");
  EXPECT_EQ(dx(f, d).shape, "96 x 160 x 64");
  const auto dw = [](std::int64_t in, std::int64_t out) {
    return cost([=](Context& c) {
      ops::linear_fp8(c, fp8(out, n), fp8(in, n), meta({out, in}, DType::f32), weight_gradient,
                      Accumulate::add);
    });
  };
  EXPECT_EQ(dw(d, d).name, "output wgrad");
  EXPECT_EQ(dw(f, d).name, "down wgrad");
  EXPECT_EQ(dw(f, d).shape, "96 x 160 x 64");
  EXPECT_EQ(dw(f, d).bytes, n * f + n * d + 2 * 4.0 * d * f);
}

// bf16 operands; a gradient of weights is f32, read and written when it is added to.
TEST(OperationCost, AProductIsTwoFlopsAnElementAndEachOperandOnce) {
  const OperationCost y = forward(d, f);
  EXPECT_EQ(y.bound, Bound::products);
  EXPECT_EQ(y.flops, 2.0 * n * d * f);
  EXPECT_EQ(y.bytes, 2.0 * (n * d + d * f + n * f));

  const OperationCost dx = cost([](Context& c) {
    ops::linear_backward_input(c, meta({n, 2 * f}), meta({2 * f, d}), meta({n, d}));
  });
  EXPECT_EQ(dx.name, "gate_up dgrad");
  EXPECT_EQ(dx.flops, 2.0 * n * d * 2 * f);
  EXPECT_EQ(dx.bytes, 2.0 * (n * 2 * f + 2 * f * d + n * d));

  const auto dw = [](Accumulate accumulate) {
    return cost([=](Context& c) {
      ops::linear_backward_weight(c, meta({n, d}), meta({n, f}), meta({d, f}, DType::f32),
                                  accumulate);
    });
  };
  EXPECT_EQ(dw(Accumulate::add).name, "down wgrad");
  EXPECT_EQ(dw(Accumulate::add).shape, "96 x 160 x 64");
  EXPECT_EQ(dw(Accumulate::add).flops, 2.0 * n * d * f);
  EXPECT_EQ(dw(Accumulate::overwrite).bytes, 2.0 * (n * d + n * f) + 4.0 * d * f);
  EXPECT_EQ(dw(Accumulate::add).bytes, 2.0 * (n * d + n * f) + 2 * 4.0 * d * f);
}

// Three segments of 32: each query attends to half of its own on average.
TEST(OperationCost, AttentionIsTwoProductsAndItsBackwardFive) {
  const std::vector<std::int32_t> offsets{0, 32, 64, 96};
  const ops::Segments segments = ops::describe_segments(meta({4}, DType::i32), offsets);
  const ops::HeadShape shape{heads, kv_heads, head_dim};
  const Tensor q = meta({n, d}), k = meta({n, d / 2}), v = meta({n, d / 2}), out = meta({n, d});
  const Tensor lse = meta({heads, n}, DType::f32);
  const OperationCost ahead =
      cost([&](Context& c) { ops::attention(c, q, k, v, segments, shape, out, lse); });
  EXPECT_EQ(ahead.name, "attention");
  EXPECT_EQ(ahead.shape, "96 x 4/2 x 16, T 32");
  EXPECT_EQ(ahead.bound, Bound::products);
  EXPECT_EQ(ahead.flops, 2.0 * n * 32 * d);
  EXPECT_EQ(ahead.bytes, 2.0 * 3 * n * d + 4.0 * n * heads + 4 * 4);
  const OperationCost back = cost([&](Context& c) {
    ops::attention_backward(c, out, q, k, v, out, lse, segments, shape, q, k, v);
  });
  EXPECT_EQ(back.name, "attention_backward");
  EXPECT_EQ(back.flops, 5.0 * n * 32 * d);
}

double bytes_of(const std::function<void(Context&)>& call) {
  const OperationCost c = cost(call);
  EXPECT_EQ(c.bound, Bound::memory) << c.name;
  EXPECT_EQ(c.flops, 0) << c.name;
  return c.bytes;
}

TEST(OperationCost, TheRestMovesItsArgumentsOnce) {
  EXPECT_EQ(bytes_of([](Context& c) {
              ops::swiglu(c, meta({n, 2 * f}), meta({n, f}));
            }),
            2.0 * 3 * n * f);
  EXPECT_EQ(bytes_of([](Context& c) {
              ops::add_rmsnorm(c, meta({n, d}), meta({n, d}), meta({d}), 1e-6f, meta({n, d}),
                               meta({n, d}), meta({n}, DType::f32));
            }),
            2.0 * (4 * n * d + d) + 4.0 * n);
  const OperationCost fill = cost([](Context& c) { ops::fill(c, meta({n, d}), 0.0f); });
  EXPECT_EQ(fill.name, "fill");
  EXPECT_EQ(fill.shape, "[96, 64]");
  EXPECT_EQ(fill.bytes, 2.0 * n * d);
}

// An argument that is changed in place is read and written.
TEST(OperationCost, InPlaceCountsTwice) {
  const Tensor table = meta({128, head_dim}, DType::f32);
  EXPECT_EQ(
      bytes_of([&](Context& c) {
        ops::rope(c, meta({n, qkv}), meta({n}, DType::i32), table, ops::RopeDirection::forward);
      }),
      2 * 2.0 * n * qkv + 4.0 * n + 4.0 * 128 * head_dim);
  EXPECT_EQ(bytes_of([](Context& c) {
              ops::cross_entropy(c, meta({n, vocabulary}), meta({n}, DType::i32),
                                 ops::LogitsGradient::overwrite, {}, meta({n}, DType::f32));
            }),
            2 * 2.0 * n * vocabulary + 2 * 4.0 * n);
  const auto norm_backward = [](ops::Incoming incoming) {
    return bytes_of([=](Context& c) {
      ops::add_rmsnorm_backward(c, meta({n, d}), meta({n, d}), meta({d}), meta({n}, DType::f32),
                                incoming, meta({n, d}), meta({d}, DType::f32));
    });
  };
  EXPECT_EQ(norm_backward(ops::Incoming::none), 2.0 * (3 * n * d + d) + 4.0 * (n + d));
  EXPECT_EQ(norm_backward(ops::Incoming::add), 2.0 * (4 * n * d + d) + 4.0 * (n + d));
}

// The embedding reads and writes the rows of its tokens, not the table.
TEST(OperationCost, TheEmbeddingMovesRows) {
  const Tensor ids = meta({n}, DType::i32);
  EXPECT_EQ(bytes_of([&](Context& c) {
              ops::embedding(c, ids, meta({vocabulary, d}), 0, meta({n, d}));
            }),
            4.0 * n + 2 * 2.0 * n * d);
  EXPECT_EQ(bytes_of([&](Context& c) {
              ops::embedding_backward(c, ids, meta({n, d}), 0, meta({vocabulary, d}, DType::f32));
            }),
            4.0 * n + 2.0 * n * d + 2 * 4.0 * n * d);
}

// All but the gradient, which is only read, are read and written.
TEST(OperationCost, AdamWWritesItsStates) {
  const Tensor values = meta({1000}, DType::f32);
  const Tensor scalars = meta({ops::adamw_scalars}, DType::f32);
  EXPECT_EQ(bytes_of([&](Context& c) {
              ops::adamw(c, values, scalars, {}, values, values, values, Tensor{});
            }),
            4.0 * (1000 + 2 * 3 * 1000 + 2 * ops::adamw_scalars));
  const std::vector<ops::AdamWSlice> slices{{values, values, values, values, {}, 0},
                                            {values, values, values, values, {}, 0.1f}};
  const Tensor table = meta({ops::adamw_table_bytes(slices)}, DType::u8);
  EXPECT_EQ(bytes_of([&](Context& c) { ops::adamw(c, slices, table, scalars, {}); }),
            2 * 4.0 * (1000 + 2 * 3 * 1000));
}

}  // namespace
}  // namespace fathom::measure
