// Every operation refuses operands that do not fit, by name, also on the meta
// device, where it computes nothing.
#include <gtest/gtest.h>

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

using test::message_of;

class ErrorsTest : public testing::Test {
 protected:
  static Tensor f32(Shape shape) { return Tensor(nullptr, DType::f32, shape, meta_device); }
  static Tensor bf16(Shape shape) { return Tensor(nullptr, DType::bf16, shape, meta_device); }
  static Tensor i32(Shape shape) { return Tensor(nullptr, DType::i32, shape, meta_device); }

  Context context_{meta_device};
};

TEST_F(ErrorsTest, MetaDeviceChecksAndReturns) {
  linear(context_, bf16({2, 3, 8}), bf16({5, 8}), f32({2, 3, 5}));
  linear_backward_input(context_, bf16({6, 5}), bf16({5, 8}), bf16({6, 8}));
  linear_backward_weight(context_, bf16({6, 5}), bf16({6, 8}), f32({5, 8}));
  add_rmsnorm(context_, f32({4, 8}), f32({4, 8}), f32({8}), 1e-6f, f32({4, 8}), f32({4, 8}),
              f32({4}));
  add_rmsnorm_backward(context_, f32({4, 8}), f32({4, 8}), f32({8}), f32({4}), Incoming::add,
                       f32({4, 8}), f32({8}));
  rope(context_, bf16({4, 16}), i32({4}), f32({100, 8}), RopeDirection::forward);
  swiglu(context_, bf16({4, 16}), bf16({4, 8}));
  swiglu_backward(context_, bf16({4, 8}), bf16({4, 16}), bf16({4, 16}));
  embedding(context_, i32({4}), bf16({50, 8}), 0, bf16({4, 8}));
  embedding_backward(context_, i32({4}), bf16({4, 8}), 0, f32({50, 8}));
  cross_entropy(context_, bf16({4, 50}), i32({4}), LogitsGradient::overwrite, {}, f32({4}));
  add_sum_of_squares(context_, f32({4, 5}), f32({1}));
  clip_scale(context_, f32({1}), 1, f32({1}), f32({1}));
  set_adamw_step(context_, {}, {}, f32({5}));
  adamw(context_, f32({9}), f32({5}), {}, f32({9}), f32({9}), f32({9}), Tensor{});
  const std::vector<AdamWSlice> slices{{f32({9}), f32({9}), f32({9}), f32({9}), {}, 0.1f}};
  const Tensor table(nullptr, DType::u8, {adamw_table_bytes(slices)}, meta_device);
  write_adamw_table(context_, slices, table);
  adamw(context_, slices, table, f32({5}), {});
  convert(context_, f32({4, 5}), bf16({4, 5}));
  add(context_, f32({4, 5}), f32({4, 5}), f32({4, 5}));
  fill(context_, f32({4, 5}), 0);
  fill_normal(context_, f32({4, 5}), {.global_columns = 5});
}

TEST_F(ErrorsTest, MatmulNamesWhatDoesNotFit) {
  EXPECT_EQ(message_of([&] {
              linear(context_, f32({3, 4}), bf16({5, 4}), f32({3, 5}));
            }),
            "linear: x is f32[3, 4] on meta, w bf16[5, 4] on meta, y f32[3, 5] on meta: the types "
            "of x and w differ");
  EXPECT_EQ(message_of([&] {
              linear(context_, f32({3, 4}), f32({5, 6}), f32({3, 5}));
            }),
            "linear: x is f32[3, 4] on meta, w f32[5, 6] on meta, y f32[3, 5] on meta: the widths "
            "do not agree");
  EXPECT_EQ(message_of([&] {
              linear(context_, f32({3, 4}), f32({5, 4}), f32({2, 5}));
            }),
            "linear: x is f32[3, 4] on meta, w f32[5, 4] on meta, y f32[2, 5] on meta: the numbers "
            "of rows differ");
  EXPECT_EQ(message_of([&] {
              linear(context_, f32({3, 4}), f32({5, 4}), bf16({3, 5}));
            }),
            "linear: x is f32[3, 4] on meta, w f32[5, 4] on meta, y bf16[3, 5] on meta: the "
            "product must have the operands' type or be f32");
  EXPECT_EQ(message_of([&] {
              linear(context_, i32({3, 4}), i32({5, 4}), i32({3, 5}));
            }),
            "linear: x is i32[3, 4] on meta, w i32[5, 4] on meta, y i32[3, 5] on meta: x must be "
            "f32 or bf16");
  EXPECT_EQ(message_of([&] {
              linear_backward_input(context_, f32({3, 5}), f32({5, 4, 1}), f32({3, 4}));
            }),
            "linear_backward_input: dy is f32[3, 5] on meta, w f32[5, 4, 1] on meta, dx f32[3, 4] "
            "on meta: w must have 2 dimensions");
  EXPECT_EQ(message_of([&] {
              linear_backward_weight(context_, bf16({3, 5}), bf16({3, 4}), bf16({5, 4}));
            }),
            "linear_backward_weight: dy is bf16[3, 5] on meta, x bf16[3, 4] on meta, dw bf16[5, 4] "
            "on meta: dw must be f32");
  const Tensor elsewhere(nullptr, DType::f32, {5, 4}, cpu_device);
  EXPECT_EQ(message_of([&] {
              linear(context_, f32({3, 4}), elsewhere, f32({3, 5}));
            }),
            "linear: x is f32[3, 4] on meta, w f32[5, 4] on cpu, y f32[3, 5] on meta: w is not on "
            "meta, where the operation runs");
}

TEST_F(ErrorsTest, LayersNameWhatDoesNotFit) {
  EXPECT_THAT(message_of([&] {
                add_rmsnorm(context_, f32({4, 8}), f32({4, 8}), f32({8}), 1e-6f, Tensor{},
                            f32({4, 8}), f32({4}));
              }),
              testing::EndsWith("h no tensor, y f32[4, 8] on meta, rstd f32[4] on meta: delta and "
                                "h go together"));
  EXPECT_THAT(message_of([&] {
                add_rmsnorm_backward(context_, f32({4, 8}), f32({4, 8}), f32({7}), f32({4}),
                                     Incoming::add, f32({4, 8}), f32({8}));
              }),
              testing::EndsWith(": weight must be [8]"));
  float memory[32] = {};
  const Tensor dy(memory, DType::f32, {4, 8}, meta_device);
  EXPECT_THAT(message_of([&] {
                add_rmsnorm_backward(context_, dy, f32({4, 8}), f32({8}), f32({4}), Incoming::add,
                                     dy, f32({8}));
              }),
              testing::EndsWith(": dh may be the memory of dy only with Incoming::none"));
  EXPECT_EQ(message_of([&] {
              rope(context_, f32({4, 12}), i32({4}), f32({9, 8}), RopeDirection::forward);
            }),
            "rope: x is f32[4, 12] on meta, positions i32[4] on meta, table f32[9, 8] on meta: x's "
            "width must be a multiple of head_dim");
  EXPECT_THAT(message_of([&] {
                rope(context_, f32({4, 12}), i32({4}), f32({9, 3}), RopeDirection::forward);
              }),
              testing::EndsWith(": the table's width, head_dim, must be even"));
  EXPECT_EQ(message_of([&] {
              swiglu(context_, f32({4, 8}), f32({4, 8}));
            }),
            "swiglu: gate_up is f32[4, 8] on meta, y f32[4, 8] on meta: gate_up must be [4, 16]");
  EXPECT_THAT(message_of([&] {
                swiglu_backward(context_, f32({4, 8}), f32({4, 16}), bf16({4, 16}));
              }),
              testing::EndsWith(": the types of dgate_up and dy differ"));
}

TEST_F(ErrorsTest, EmbeddingAndLossNameWhatDoesNotFit) {
  EXPECT_EQ(message_of([&] {
              embedding(context_, i32({4}), f32({50, 8}), 0, f32({4, 9}));
            }),
            "embedding: ids is i32[4] on meta, table f32[50, 8] on meta, y f32[4, 9] on meta: y "
            "must be [4, 8]");
  EXPECT_THAT(message_of([&] {
                embedding_backward(context_, i32({4}), f32({4, 8}), 0, bf16({50, 8}));
              }),
              testing::EndsWith(": dtable must be f32"));
  EXPECT_THAT(message_of([&] {
                cross_entropy(context_, f32({4, 8}), f32({4}), LogitsGradient::none, {}, f32({4}));
              }),
              testing::EndsWith(": targets must be i32"));
}

TEST_F(ErrorsTest, OptimizerAndElementwiseNameWhatDoesNotFit) {
  EXPECT_EQ(message_of([&] {
              add_sum_of_squares(context_, f32({4, 8}).columns(0, 3), f32({1}));
            }),
            "add_sum_of_squares: x is f32[4, 3] on meta, out f32[1] on meta: x must be contiguous");
  EXPECT_THAT(message_of([&] { clip_scale(context_, f32({2}), 1, f32({1}), f32({1})); }),
              testing::EndsWith(": sum_of_squares must be [1]"));
  EXPECT_THAT(message_of([&] { set_adamw_step(context_, {}, {.step = 0}, f32({5})); }),
              testing::EndsWith(": steps count from 1"));
  EXPECT_THAT(message_of([&] {
                adamw(context_, f32({9}), f32({5}), {}, f32({8}), f32({9}), f32({9}), Tensor{});
              }),
              testing::EndsWith(": m must be [9]"));
  EXPECT_THAT(message_of([&] {
                adamw(context_, f32({9}), f32({5}), {}, f32({9}), f32({9}), bf16({9}), Tensor{});
              }),
              testing::EndsWith(": bf16 weights need their remainder"));
  const std::vector<AdamWSlice> slices{{f32({9}), f32({9}), f32({8}), f32({9}), {}, 0}};
  const auto update = [&](std::int64_t bytes) {
    return message_of([&] {
      adamw(context_, slices, Tensor(nullptr, DType::u8, {bytes}, meta_device), f32({5}), {});
    });
  };
  EXPECT_THAT(update(adamw_table_bytes(slices)), testing::EndsWith(": v must be [9]"));
  EXPECT_THAT(update(1), testing::EndsWith(": table must be [48]"));
  EXPECT_EQ(message_of([&] {
              convert(context_, f32({2, 3}), bf16({3, 2}));
            }),
            "convert: from is f32[2, 3] on meta, to bf16[3, 2] on meta: to must be [2, 3]");
  EXPECT_THAT(message_of([&] { add(context_, f32({2}), bf16({2}), f32({2})); }),
              testing::EndsWith(": the types of a and b differ"));
  EXPECT_EQ(message_of([&] { fill(context_, i32({2}), 1); }),
            "fill: x is i32[2] on meta: x must be f32 or bf16");
  EXPECT_EQ(message_of([&] {
              fill_normal(context_, f32({2, 5}), {.first_column = 3, .global_columns = 7});
            }),
            "fill_normal: x is f32[2, 5] on meta: x must lie within the global matrix's columns");
}

}  // namespace
}  // namespace fathom::ops
