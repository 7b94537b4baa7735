// Each argument of each operation, wrong in one way at a time, and the sizes that are just
// right. On the meta device, where a check that is missing lets the call pass.
#include <gtest/gtest.h>

#include <functional>

#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/matmul.h"
#include "ops/ops_test.h"
#include "ops/optimizer.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/swiglu.h"

namespace fathom::ops {
namespace {

Tensor f32(Shape shape) {
  return {nullptr, DType::f32, shape, meta_device};
}
Tensor bf16(Shape shape) {
  return {nullptr, DType::bf16, shape, meta_device};
}
Tensor i32(Shape shape) {
  return {nullptr, DType::i32, shape, meta_device};
}
Tensor u16(Shape shape) {
  return {nullptr, DType::u16, shape, meta_device};
}
Tensor on_cpu(Tensor x) {
  x.device = cpu_device;
  return x;
}
// The same shape with rows that lie apart.
Tensor apart(Tensor x) {
  x.row_stride += 1;
  return x;
}

struct Refusal {
  const char* problem;  // the end of the message
  std::function<void(Context&)> call;
};

void expect_refused(const std::vector<Refusal>& refusals) {
  Context context(meta_device);
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.problem);
    EXPECT_THAT(test::message_of([&] { refusal.call(context); }),
                testing::EndsWith(std::string(": ") + refusal.problem));
  }
}

TEST(Refusals, CrossEntropy) {
  const auto whole = [](Tensor logits, Tensor targets, Tensor losses, Tensor weights = {}) {
    return [=](Context& c) {
      cross_entropy(c, logits, targets, LogitsGradient::none, {1, weights}, losses);
    };
  };
  const auto part = [](Tensor logits, Tensor targets, Tensor out) {
    return [=](Context& c) { cross_entropy_part(c, logits, targets, 0, out); };
  };
  const auto from_parts = [](Tensor parts, Tensor logits, Tensor targets, Tensor losses,
                             Tensor weights = {}) {
    return [=](Context& c) {
      cross_entropy_from_parts(c, parts, logits, targets, 0, LogitsGradient::none, {1, weights},
                               losses);
    };
  };
  const Tensor logits = f32({4, 9}), ids = i32({4}), out = f32({4}), parts = f32({2, 3, 4});
  expect_refused({
      {"logits must have 2 dimensions", whole(f32({4}), ids, out)},
      {"logits must be f32 or bf16", whole(i32({4, 9}), ids, out)},
      {"logits is not on meta, where the operation runs", whole(on_cpu(logits), ids, out)},
      {"targets must be [4]", whole(logits, i32({3}), out)},
      {"targets must be i32", whole(logits, f32({4}), out)},
      {"losses must be [4]", whole(logits, ids, f32({5}))},
      {"losses must be f32", whole(logits, ids, bf16({4}))},
      {"weights must be [4]", whole(logits, ids, out, f32({3}))},
      {"weights must be f32", whole(logits, ids, out, bf16({4}))},
      {"weights is not on meta, where the operation runs", whole(logits, ids, out, on_cpu(out))},
      {"logits must have 2 dimensions", part(f32({4}), ids, f32({3, 4}))},
      {"logits must be f32 or bf16", part(i32({4, 9}), ids, f32({3, 4}))},
      {"targets must be [4]", part(logits, i32({3}), f32({3, 4}))},
      {"part must be [3, 4]", part(logits, ids, f32({4, 4}))},
      {"part must be f32", part(logits, ids, bf16({3, 4}))},
      {"part must be contiguous", part(logits, ids, apart(f32({3, 4})))},
      {"logits must have 2 dimensions", from_parts(parts, f32({4}), ids, out)},
      {"parts must have 3 dimensions", from_parts(f32({3, 4}), logits, ids, out)},
      {"parts must be [2, 3, 4]", from_parts(f32({2, 3, 5}), logits, ids, out)},
      {"parts must be f32", from_parts(bf16({2, 3, 4}), logits, ids, out)},
      {"parts must be contiguous", from_parts(apart(parts), logits, ids, out)},
      {"targets must be [4]", from_parts(parts, logits, i32({5}), out)},
      {"losses must be [4]", from_parts(parts, logits, ids, f32({3}))},
      {"weights must be [4]", from_parts(parts, logits, ids, out, f32({3}))},
  });
}

TEST(Refusals, Elementwise) {
  const auto fills = [](Tensor x, NormalFill fill) {
    return [=](Context& c) { fill_normal(c, x, fill); };
  };
  const auto sum = [](Tensor a, Tensor b, Tensor out) {
    return [=](Context& c) { add(c, a, b, out); };
  };
  const char* const outside = "x must lie within the global matrix's columns";
  const Tensor x = f32({2, 3});
  expect_refused({
      {"from must be f32 or bf16",
       [=](Context& c) {
         convert(c, i32({2, 3}), x);
       }},
      {"to must be f32 or bf16",
       [=](Context& c) {
         convert(c, x, i32({2, 3}));
       }},
      {"to must be [2, 3]",
       [=](Context& c) {
         convert(c, x, f32({2, 4}));
       }},
      {"to is not on meta, where the operation runs",
       [=](Context& c) { convert(c, x, on_cpu(x)); }},
      {"a must be f32 or bf16", sum(i32({2, 3}), i32({2, 3}), i32({2, 3}))},
      {"the types of a and out differ", sum(x, x, bf16({2, 3}))},
      {"b must be [2, 3]", sum(x, f32({3, 2}), x)},
      {"out must be [2, 3]", sum(x, x, f32({3, 2}))},
      {"x is not on meta, where the operation runs", [=](Context& c) { fill(c, on_cpu(x), 1); }},
      {"x must have 2 dimensions", fills(f32({3}), {.global_columns = 3})},
      {"x must be f32 or bf16", fills(i32({2, 3}), {.global_columns = 3})},
      {outside, fills(x, {.first_row = -1, .global_columns = 3})},
      {outside, fills(x, {.first_column = -1, .global_columns = 3})},
      {outside, fills(x, {.first_column = 2, .global_columns = 4})},
  });
  Context context(meta_device);
  fill_normal(context, x, {.first_column = 1, .global_columns = 4});
}

TEST(Refusals, EmbeddingAndRope) {
  const auto forward = [](Tensor ids, Tensor table, Tensor y) {
    return [=](Context& c) { embedding(c, ids, table, 0, y); };
  };
  const auto backward = [](Tensor ids, Tensor dy, Tensor table) {
    return [=](Context& c) { embedding_backward(c, ids, dy, 0, table); };
  };
  const auto rotate = [](Tensor x, Tensor positions, Tensor table) {
    return [=](Context& c) { rope(c, x, positions, table, RopeDirection::forward); };
  };
  const Tensor ids = i32({4}), table = f32({9, 8}), y = f32({4, 8});
  expect_refused({
      {"ids must have 1 dimension", forward(i32({4, 1}), table, y)},
      {"ids must be i32", forward(f32({4}), table, y)},
      {"table must have 2 dimensions", forward(ids, f32({9, 8, 1}), y)},
      {"y must be [4, 8]", forward(ids, table, f32({4, 7}))},
      {"table must be f32 or bf16", forward(ids, i32({9, 8}), i32({4, 8}))},
      {"the types of table and y differ", forward(ids, table, bf16({4, 8}))},
      {"ids must have 1 dimension", backward(i32({4, 1}), y, table)},
      {"ids must be i32", backward(f32({4}), y, table)},
      {"dtable must have 2 dimensions", backward(ids, y, f32({9, 8, 1}))},
      {"dy must be [4, 8]", backward(ids, f32({4, 7}), table)},
      {"dy must be f32 or bf16", backward(ids, i32({4, 8}), table)},
      {"dtable must be f32", backward(ids, y, bf16({9, 8}))},
      {"x must have 2 dimensions", rotate(f32({8}), i32({8}), table)},
      {"x must be f32 or bf16", rotate(i32({4, 8}), ids, table)},
      {"x is not on meta, where the operation runs", rotate(on_cpu(y), ids, table)},
      {"positions must be [4]", rotate(y, i32({5}), table)},
      {"positions must be i32", rotate(y, f32({4}), table)},
      {"table must have 2 dimensions", rotate(y, ids, f32({9, 8, 1}))},
      {"table must be f32", rotate(y, ids, bf16({9, 8}))},
      {"the table's width, head_dim, must be even", rotate(y, ids, f32({9, 0}))},
      {"the table's width, head_dim, must be even", rotate(y, ids, f32({9, 1}))},
  });
  Context context(meta_device);
  rope(context, y, ids, f32({9, 2}), RopeDirection::forward);
}

TEST(Refusals, Matmul) {
  const Shape number;
  const char* const activations = "activations need at least one dimension";
  const auto product = [](Tensor x, Tensor w, Tensor y) {
    return [=](Context& c) { linear(c, x, w, y); };
  };
  const auto input = [](Tensor dy, Tensor w, Tensor dx) {
    return [=](Context& c) { linear_backward_input(c, dy, w, dx); };
  };
  const auto weight = [](Tensor dy, Tensor x, Tensor dw) {
    return [=](Context& c) { linear_backward_weight(c, dy, x, dw); };
  };
  expect_refused({
      {activations, product(f32(number), f32({5, 1}), f32({5}))},
      {activations, product(f32({4}), f32({1, 4}), f32(number))},
      {"the widths do not agree", product(f32({3, 4}), f32({5, 4}), f32({3, 6}))},
      {"w must have 2 dimensions", product(f32({3, 4}), f32({5, 4, 1}), f32({3, 5}))},
      {"the types of dy and w differ", input(f32({3, 5}), bf16({5, 4}), f32({3, 4}))},
      {"dy must be f32 or bf16", input(i32({3, 5}), i32({5, 4}), i32({3, 4}))},
      {"the product must have the operands' type or be f32",
       input(f32({3, 5}), f32({5, 4}), bf16({3, 4}))},
      {"dw is not on meta, where the operation runs",
       weight(f32({3, 5}), f32({3, 4}), on_cpu(f32({5, 4})))},
      {"the numbers of rows differ", weight(f32({3, 5}), f32({2, 4}), f32({5, 4}))},
      {"the widths do not agree", weight(f32({3, 5}), f32({3, 4}), f32({4, 5}))},
      {"dy must be f32 or bf16", weight(i32({3, 5}), i32({3, 4}), f32({5, 4}))},
      {"the types of dy and x differ", weight(f32({3, 5}), bf16({3, 4}), f32({5, 4}))},
  });
  Context context(meta_device);
  linear(context, f32({4}), f32({5, 4}), f32({5}));
  linear_backward_input(context, bf16({3, 5}), bf16({5, 4}), f32({3, 4}));
}

TEST(Refusals, NormAndSwiglu) {
  const auto norm = [](Tensor residual, Tensor delta, Tensor weight, Tensor h, Tensor y,
                       Tensor rstd) {
    return [=](Context& c) { add_rmsnorm(c, residual, delta, weight, 1e-6f, h, y, rstd); };
  };
  const auto backward = [](Tensor dy, Tensor h, Tensor weight, Tensor rstd, Tensor dh,
                           Tensor dweight) {
    return [=](Context& c) {
      add_rmsnorm_backward(c, dy, h, weight, rstd, Incoming::add, dh, dweight);
    };
  };
  const auto gate = [](Tensor gate_up, Tensor y) {
    return [=](Context& c) { swiglu(c, gate_up, y); };
  };
  const auto gate_backward = [](Tensor dy, Tensor gate_up, Tensor out) {
    return [=](Context& c) { swiglu_backward(c, dy, gate_up, out); };
  };
  const Tensor x = f32({4, 8}), w = f32({8}), r = f32({4}), b = bf16({4, 8}), g = f32({4, 16});
  expect_refused({
      {"residual must have 2 dimensions", norm(f32({8}), {}, w, {}, x, r)},
      {"residual must be f32 or bf16", norm(i32({4, 8}), {}, i32({8}), {}, i32({4, 8}), r)},
      {"residual is not on meta, where the operation runs", norm(on_cpu(x), {}, w, {}, x, r)},
      {"delta and h go together", norm(x, {}, w, x, x, r)},
      {"delta must be [4, 8]", norm(x, f32({3, 8}), w, x, x, r)},
      {"the types of delta and residual differ", norm(x, b, w, x, x, r)},
      {"h must be [4, 8]", norm(x, x, w, f32({3, 8}), x, r)},
      {"the types of h and residual differ", norm(x, x, w, b, x, r)},
      {"weight must be [8]", norm(x, x, f32({4}), x, x, r)},
      {"the types of weight and residual differ", norm(x, x, bf16({8}), x, x, r)},
      {"y must be [4, 8]", norm(x, x, w, x, f32({4, 9}), r)},
      {"the types of y and residual differ", norm(x, x, w, x, b, r)},
      {"rstd must be [4]", norm(x, x, w, x, x, f32({8}))},
      {"rstd must be f32", norm(x, x, w, x, x, bf16({4}))},
      {"dy must have 2 dimensions", backward(f32({8}), x, w, r, x, w)},
      {"dy must be f32 or bf16", backward(i32({4, 8}), i32({4, 8}), i32({8}), r, i32({4, 8}), w)},
      {"h must be [4, 8]", backward(x, f32({3, 8}), w, r, x, w)},
      {"the types of h and dy differ", backward(x, b, w, r, x, w)},
      {"rstd must be [4]", backward(x, x, w, f32({5}), x, w)},
      {"dh must be [4, 8]", backward(x, x, w, r, f32({3, 8}), w)},
      {"the types of dh and dy differ", backward(x, x, w, r, b, w)},
      {"dweight must be [8]", backward(x, x, w, r, x, f32({9}))},
      {"dweight must be f32", backward(b, b, bf16({8}), r, b, bf16({8}))},
      {"y must have 2 dimensions", gate(f32({4, 16}), f32({8}))},
      {"y must be f32 or bf16", gate(i32({4, 16}), i32({4, 8}))},
      {"the types of gate_up and y differ", gate(bf16({4, 16}), x)},
      {"gate_up must be [4, 16]", gate(f32({3, 16}), x)},
      {"dy must have 2 dimensions", gate_backward(f32({8}), g, g)},
      {"dy must be f32 or bf16", gate_backward(i32({4, 8}), i32({4, 16}), i32({4, 16}))},
      {"the types of gate_up and dy differ", gate_backward(x, bf16({4, 16}), g)},
      {"gate_up must be [4, 16]", gate_backward(x, x, g)},
      {"dgate_up must be [4, 16]", gate_backward(x, g, x)},
  });
  // Without memory, as here, nothing is shared; with it the order of the rows decides.
  float memory[32] = {};
  const Tensor dy(memory, DType::f32, {4, 8}, meta_device);
  Context context(meta_device);
  add_rmsnorm(context, x, {}, w, 1e-6f, {}, x, r);
  add_rmsnorm_backward(context, x, x, w, r, Incoming::add, x, w);
  add_rmsnorm_backward(context, dy, x, w, r, Incoming::none, dy, w);
  add_rmsnorm_backward(context, dy, x, w, r, Incoming::add, x, w);
}

TEST(Refusals, Optimizer) {
  const auto clip = [](Tensor sum, Tensor norm, Tensor scale) {
    return [=](Context& c) { clip_scale(c, sum, 1, norm, scale); };
  };
  const auto update = [](Tensor grad, Tensor scalars, Tensor m, Tensor v, Tensor weight,
                         Tensor rest = {}) {
    return [=](Context& c) { adamw(c, grad, scalars, {}, m, v, weight, rest); };
  };
  const auto set = [](Tensor scalars, std::int64_t step) {
    return [=](Context& c) { set_adamw_step(c, {}, {.step = step}, scalars); };
  };
  const auto squares = [](Tensor x, Tensor out) {
    return [=](Context& c) { add_sum_of_squares(c, x, out); };
  };
  const Tensor x = f32({9}), one = f32({1}), step = f32({adamw_scalars});
  expect_refused({
      {"x must be f32", squares(bf16({9}), one)},
      {"x is not on meta, where the operation runs", squares(on_cpu(x), one)},
      {"out must be [1]", squares(x, f32({2}))},
      {"out must be f32", squares(x, bf16({1}))},
      {"norm must be [1]", clip(one, f32({2}), one)},
      {"scale must be f32", clip(one, one, bf16({1}))},
      {"sum_of_squares is not on meta, where the operation runs", clip(on_cpu(one), one, one)},
      {"grad must have 1 dimension", update(f32({9, 1}), step, x, x, x)},
      {"scalars must be [5]", update(x, one, x, x, x)},
      {"scalars must be f32", update(x, i32({adamw_scalars}), x, x, x)},
      {"grad must be f32", update(bf16({9}), step, x, x, x)},
      {"m must be f32", update(x, step, bf16({9}), x, x)},
      {"v must be [9]", update(x, step, x, f32({8}), x)},
      {"weight must be [9]", update(x, step, x, x, f32({8}))},
      {"weight must be f32 or bf16", update(x, step, x, x, i32({9}), u16({9}))},
      {"f32 weights have no remainder", update(x, step, x, x, x, u16({9}))},
      {"remainder must be [9]", update(x, step, x, x, bf16({9}), u16({8}))},
      {"remainder must be u16", update(x, step, x, x, bf16({9}), i32({9}))},
      {"scalars must be [5]", set(one, 1)},
      {"scalars must be f32", set(bf16({adamw_scalars}), 1)},
      {"scalars is not on meta, where the operation runs", set(on_cpu(step), 1)},
      {"steps count from 1", set(step, 0)},
  });
  Context context(meta_device);
  set(step, 1)(context);
  update(x, step, x, x, x)(context);
  update(x, step, x, x, bf16({9}), u16({9}))(context);
}

TEST(Refusals, MasterWeights) {
  const Tensor master = on_cpu(f32({2, 3})), weight = on_cpu(bf16({2, 3})),
               rest = on_cpu(u16({2, 3}));
  struct Case {
    const char* problem;
    Tensor master, weight, rest;
  };
  const Case cases[] = {
      {"master must be f32", weight, weight, rest},
      {"master must be contiguous", apart(master), weight, rest},
      {"weight must be [2, 3]", master, on_cpu(bf16({3, 2})), rest},
      {"weight must be bf16", master, master, rest},
      {"weight must be contiguous", master, apart(weight), rest},
      {"remainder must be [2, 3]", master, weight, on_cpu(u16({6}))},
      {"remainder must be u16", master, weight, weight},
      {"remainder must be contiguous", master, weight, apart(rest)},
      {"only on the CPU", f32({2, 3}), weight, rest},
      {"only on the CPU", master, bf16({2, 3}), rest},
      {"only on the CPU", master, weight, u16({2, 3})},
  };
  for (const auto& [problem, of_master, of_weight, of_rest] : cases) {
    EXPECT_THAT(test::message_of([&] { split_master_weights(of_master, of_weight, of_rest); }),
                testing::EndsWith(std::string(": ") + problem));
    EXPECT_THAT(test::message_of([&] { join_master_weights(of_weight, of_rest, of_master); }),
                testing::EndsWith(std::string(": ") + problem));
  }
}

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
