// Each argument of each operation but attention (attention_refusals_test.cpp), wrong in one way at
// a time, and the sizes that are just right. On the meta device, where a check that is missing lets
// the call pass.
#include "ops/refusals.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/fp8.h"
#include "ops/int8.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/sampling.h"
#include "ops/swiglu.h"

namespace fathom::ops {
namespace {

using namespace refusals;

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

TEST(Refusals, AdamWTables) {
  const std::vector<AdamWSlice> slices{{f32({9}), f32({9}), f32({9}), f32({9}), {}, 0}};
  const auto write = [=](Tensor table) {
    return [=](Context& c) { write_adamw_table(c, slices, table); };
  };
  expect_refused({
      {"table must be [48]", write(u8({47}))},
      {"table must be [48]", write(u8({96}))},
      {"table must be u8", write(f32({48}))},
      {"table is not on meta, where the operation runs", write(on_cpu(u8({48})))},
  });
}

TEST(Refusals, Fp8) {
  const auto round = [](Tensor x, Tensor values, Tensor transposed, Tensor scale) {
    return [=](Context& c) { quantize_fp8(c, x, Fp8Format::e4m3, values, transposed, scale); };
  };
  const auto product = [](Fp8Matrix x, Fp8Matrix w, Tensor y,
                          Accumulate accumulate = Accumulate::overwrite) {
    return [=](Context& c) { linear_fp8(c, x, w, y, Fp8Role::output, accumulate); };
  };
  const Shape number;
  const Tensor x = bf16({32, 16}), v = u8({32, 16}), t = u8({16, 32}), one = f32({1}),
               y = f32({32, 48});
  Tensor odd = v;
  odd.data = reinterpret_cast<void*>(8);
  const Fp8Matrix a{v, one, Fp8Format::e4m3}, w{u8({48, 16}), one, Fp8Format::e4m3};
  const auto with_values = [&](Fp8Matrix matrix, Tensor values) {
    matrix.values = values;
    return matrix;
  };
  const auto with_scale = [&](Fp8Matrix matrix, Tensor scale) {
    matrix.scale = scale;
    return matrix;
  };
  const char *const multiples = "sizes must be multiples of 16",
                    *const place = "FP8 values must lie at a multiple of 16 bytes",
                    *const shape = "y must be [rows of x, rows of w]";
  expect_refused({
      {"x must be f32 or bf16", round(i32({32, 16}), v, {}, one)},
      {"x is not on meta, where the operation runs", round(on_cpu(x), v, {}, one)},
      {"scale must be f32", round(x, v, {}, bf16({1}))},
      {"scale must be [1]", round(x, v, {}, f32({2}))},
      {"x needs at least one dimension", round(bf16(number), v, {}, one)},
      {multiples, round(bf16({31, 16}), u8({31, 16}), {}, one)},
      {multiples, round(bf16({32, 17}), u8({32, 17}), {}, one)},
      {"no output is wanted", round(x, {}, {}, one)},
      {"values must be u8", round(x, i32({32, 16}), {}, one)},
      {"values must have 2 dimensions", round(x, u8({512}), {}, one)},
      {"values must be contiguous", round(x, apart(v), {}, one)},
      {"values must be [32, 16]", round(x, t, {}, one)},
      {"transposed must be u8", round(x, {}, f32({16, 32}), one)},
      {"transposed must be contiguous", round(x, v, apart(t), one)},
      {"transposed must be [16, 32]", round(x, v, v, one)},
      {place, round(x, odd, {}, one)},
      {"x must have 2 dimensions", product(with_values(a, u8({512})), w, y)},
      {"w must have 2 dimensions", product(a, with_values(w, u8({768})), y)},
      {"y must be f32 or bf16", product(a, w, i32({32, 48}))},
      {"y is not on meta, where the operation runs", product(a, w, on_cpu(y))},
      {"x must be u8", product(with_values(a, i32({32, 16})), w, y)},
      {"w must be u8", product(a, with_values(w, i32({48, 16})), y)},
      {"x must be contiguous", product(with_values(a, apart(v)), w, y)},
      {"w must be contiguous", product(a, with_values(w, apart(u8({48, 16}))), y)},
      {place, product(with_values(a, odd), w, y)},
      {"scale of x must be f32", product(with_scale(a, bf16({1})), w, y)},
      {"scale of x must be [1]", product(with_scale(a, f32({2})), w, y)},
      {"scale of w must be f32", product(a, with_scale(w, i32({1})), y)},
      {"scale of w must be [1]", product(a, with_scale(w, f32(number)), y)},
      {"the widths do not agree", product(a, with_values(w, u8({48, 32})), y)},
      {shape, product(a, w, f32({48, 32}))},
      {shape, product(a, w, f32({31, 48}))},
      {shape, product(a, w, f32(number))},
      {multiples, product(with_values(a, u8({24, 16})), w, f32({24, 48}))},
      {multiples, product(a, with_values(w, u8({40, 16})), f32({32, 40}))},
      {multiples, product(with_values(a, u8({32, 24})), with_values(w, u8({48, 24})), y)},
      {"a product is added to in f32 alone", product(a, w, bf16({32, 48}), Accumulate::add)},
  });
  Context context(meta_device);
  round(x, v, t, one)(context);
  round(f32({2, 16, 16}), v, {}, one)(context);
  round(f32({0, 16}), u8({0, 16}), {}, one)(context);
  product(a, w, bf16({32, 48}))(context);
  product(a, w, y, Accumulate::add)(context);
  product(a, w, f32({2, 16, 48}))(context);
}

TEST(Refusals, Int8) {
  const auto product = [](Tensor x, Tensor integers, Tensor scales, Tensor y) {
    return [=](Context& c) { linear_int8(c, x, {integers, scales}, y); };
  };
  const auto lookup = [](Tensor ids, Tensor integers, Tensor scales, Tensor y) {
    return [=](Context& c) { embedding_int8(c, ids, {integers, scales}, 0, y); };
  };
  const Shape number;
  const Tensor x = f32({2, 64}), w = u8({4, 64}), s = u16({4, 2}), y = f32({2, 4}), ids = i32({3}),
               rows = bf16({3, 64});
  expect_refused({
      {"w must be u8", product(x, i32({4, 64}), s, y)},
      {"scales must be u16", product(x, w, i32({4, 2}), y)},
      {"w must have 2 dimensions", product(x, u8({256}), s, y)},
      {"w must be contiguous", product(x, apart(w), s, y)},
      {"scales must be contiguous", product(x, w, apart(s), y)},
      {"rows are no whole number of blocks", product(f32({2, 63}), u8({4, 63}), s, y)},
      {"scales must be [4, 2]", product(x, w, u16({4, 3}), y)},
      {"scales must be [4, 2]", product(x, w, u16({3, 2}), y)},
      {"x is not on meta, where the operation runs", product(on_cpu(x), w, s, y)},
      {"x must be f32 or bf16", product(i32({2, 64}), w, s, i32({2, 4}))},
      {"y must have the type of x or be f32", product(x, w, s, bf16({2, 4}))},
      {"activations need at least one dimension", product(f32(number), w, s, y)},
      {"activations need at least one dimension", product(x, w, s, f32(number))},
      {"the numbers of rows differ", product(x, w, s, f32({3, 4}))},
      {"the widths do not agree", product(f32({2, 32}), w, s, y)},
      {"the widths do not agree", product(x, w, s, f32({2, 5}))},
      {"table must be u8", lookup(ids, f32({4, 64}), s, rows)},
      {"scales must be [4, 2]", lookup(ids, w, u16({4, 1}), rows)},
      {"ids must be i32", lookup(f32({3}), w, s, rows)},
      {"ids is not on meta, where the operation runs", lookup(on_cpu(ids), w, s, rows)},
      {"ids must be contiguous", lookup(apart(i32({3, 1})), w, s, rows)},
      {"y must be f32 or bf16", lookup(ids, w, s, i32({3, 64}))},
      {"y must have a row for each id", lookup(ids, w, s, bf16({4, 64}))},
      {"the widths do not agree", lookup(ids, w, s, bf16({3, 32}))},
  });
  Context context(meta_device);
  product(bf16({2, 64}), w, s, bf16({2, 4}))(context);
  product(bf16({2, 64}), w, s, y)(context);
  lookup(ids, w, s, rows)(context);
}

TEST(Refusals, Sampling) {
  constexpr std::int64_t row = sizeof(DrawRow), change = sizeof(LogitChange);
  struct Call {
    Tensor logits = f32({2, 9}), masked = i32({3}), rows = u8({2, row}), changes = u8({4, change}),
           tokens = i32({2}), log_probabilities = f32({2, 6}), likeliest = i32({2, 5});
  };
  const auto with = [](Tensor Call::*argument, Tensor x) {
    Call call;
    call.*argument = x;
    return [call](Context& c) {
      draw_tokens(c, call.logits, call.masked, call.rows, call.changes,
                  {call.tokens, call.log_probabilities, call.likeliest});
    };
  };
  expect_refused({
      {"logits must have 2 dimensions", with(&Call::logits, f32({18}))},
      {"logits must be f32", with(&Call::logits, bf16({2, 9}))},
      {"logits is not on meta, where the operation runs", with(&Call::logits, on_cpu(f32({2, 9})))},
      {"the sum of so many tokens' weights does not fit",
       with(&Call::logits, f32({2, (1 << 23) + 1}))},
      {"masked must have 1 dimension", with(&Call::masked, i32({3, 1}))},
      {"masked must be i32", with(&Call::masked, f32({3}))},
      {"rows must be [2, " + std::to_string(row) + "]", with(&Call::rows, u8({3, row}))},
      {"rows must be [2, " + std::to_string(row) + "]", with(&Call::rows, u8({2, row - 1}))},
      {"rows must be u8", with(&Call::rows, i32({2, row}))},
      {"rows must be contiguous", with(&Call::rows, apart(u8({2, row})))},
      {"changes must have 2 dimensions", with(&Call::changes, u8({4 * change}))},
      {"changes must be u8", with(&Call::changes, i32({4, change}))},
      {"changes must be contiguous", with(&Call::changes, apart(u8({4, change})))},
      {"a row of changes is a LogitChange", with(&Call::changes, u8({4, change + 1}))},
      {"tokens must be [2]", with(&Call::tokens, i32({3}))},
      {"tokens must be i32", with(&Call::tokens, f32({2}))},
      {"likeliest must have 2 dimensions", with(&Call::likeliest, i32({2}))},
      {"likeliest must be i32", with(&Call::likeliest, f32({2, 5}))},
      {"likeliest must be contiguous", with(&Call::likeliest, apart(i32({2, 5})))},
      {"likeliest must be [2, 5]", with(&Call::likeliest, i32({3, 5}))},
      {"log_probabilities must be [2, 6]", with(&Call::log_probabilities, f32({2, 5}))},
      {"log_probabilities must be f32", with(&Call::log_probabilities, bf16({2, 6}))},
      {"log_probabilities must be contiguous", with(&Call::log_probabilities, apart(f32({2, 6})))},
  });
  Context context(meta_device);
  with(&Call::logits, f32({2, 1 << 23}))(context);
  with(&Call::changes, u8({0, change}))(context);
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

}  // namespace
}  // namespace fathom::ops
