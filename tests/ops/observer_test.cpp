// What an observer is told of operations, in place of their running.
#include "core/observer.h"

#include <gmock/gmock.h>

#include <vector>

#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/fp8.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/refusals.h"
#include "ops/rmsnorm.h"
#include "ops/sampling.h"
#include "ops/swiglu.h"

namespace fathom::ops {
namespace {

using namespace refusals;
using testing::ElementsAre;

struct Told final : OperationObserver {
  void observe(Context&, const Operation& operation) override { all.push_back(operation); }
  std::vector<Operation> all;
};

// The one operation that the call makes.
Operation told_of(const std::function<void(Context&)>& call) {
  Context context(meta_device);
  Told told;
  context.observer = &told;
  call(context);
  EXPECT_EQ(told.all.size(), 1u);
  return told.all.empty() ? Operation{} : told.all.front();
}

std::string name_of_call(const std::function<void(Context&)>& call) {
  return told_of(call).name;
}

TEST(OperationObserver, IsToldTheNameOfTheFunction) {
  const Tensor x = f32({4, 8}), w = f32({8}), r = f32({4});
  EXPECT_EQ(name_of_call([=](Context& c) { linear(c, x, f32({5, 8}), f32({4, 5})); }), "linear");
  EXPECT_EQ(name_of_call([=](Context& c) { swiglu(c, f32({4, 16}), x); }), "swiglu");
  EXPECT_EQ(name_of_call([=](Context& c) { add_rmsnorm(c, x, {}, w, 1e-6f, {}, x, r); }),
            "add_rmsnorm");
  EXPECT_EQ(name_of_call([=](Context& c) { fill(c, x, 1); }), "fill");
  EXPECT_EQ(name_of_call([=](Context& c) { adamw(c, w, f32({5}), {}, w, w, w, {}); }), "adamw");
}

TEST(OperationObserver, KnowsFp8ProductsByTheirRole) {
  const Fp8Matrix a{u8({32, 16}), f32({1}), Fp8Format::e4m3};
  const Tensor y = f32({32, 32});
  const auto operation = [&](Fp8Role role, Accumulate accumulate = Accumulate::overwrite) {
    return told_of([=](Context& c) { linear_fp8(c, a, a, y, role, accumulate); });
  };
  EXPECT_EQ(operation(Fp8Role::output).name, "linear_fp8");
  EXPECT_EQ(operation(Fp8Role::input_gradient).name, "linear_fp8_backward_input");
  EXPECT_EQ(operation(Fp8Role::weight_gradient).name, "linear_fp8_backward_weight");
  EXPECT_THAT(operation(Fp8Role::output).tensors, ElementsAre(a.values, a.values, y));
  EXPECT_FALSE(operation(Fp8Role::output).in_place);
  EXPECT_TRUE(operation(Fp8Role::output, Accumulate::add).in_place);
}

TEST(OperationObserver, IsToldWhichOutputsAreInputsToo) {
  const Tensor x = f32({4, 8}), w = f32({8}), r = f32({4}), logits = f32({4, 9}), ids = i32({4});
  const auto product = [=](Accumulate accumulate) {
    return told_of([=](Context& c) { linear(c, x, f32({5, 8}), f32({4, 5}), accumulate); });
  };
  EXPECT_FALSE(product(Accumulate::overwrite).in_place);
  EXPECT_TRUE(product(Accumulate::add).in_place);
  const auto norm = [=](Incoming incoming) {
    return told_of([=](Context& c) { add_rmsnorm_backward(c, x, x, w, r, incoming, x, w); });
  };
  EXPECT_FALSE(norm(Incoming::none).in_place);
  EXPECT_TRUE(norm(Incoming::add).in_place);
  const auto loss = [=](LogitsGradient gradient) {
    return told_of([=](Context& c) { cross_entropy(c, logits, ids, gradient, {}, r); });
  };
  EXPECT_FALSE(loss(LogitsGradient::none).in_place);
  EXPECT_TRUE(loss(LogitsGradient::overwrite).in_place);
}

// Arguments in their order; of a structure the tensors that are read or written.
TEST(OperationObserver, IsToldTheTensors) {
  const Tensor x = f32({4, 8}), y = bf16({4, 8});
  EXPECT_THAT(told_of([=](Context& c) { convert(c, x, y); }).tensors, ElementsAre(x, y));
  const Tensor q = f32({6, 8}), offsets = i32({3}), lse = f32({2, 6});
  EXPECT_THAT(told_of([=](Context& c) {
                attention(c, q, q, q, {offsets, 6}, {2, 2, 4}, q, lse);
              }).tensors,
              ElementsAre(q, q, q, offsets, q, lse));
  const Tensor logits = f32({2, 9}), masked = i32({0}), rows = u8({2, sizeof(DrawRow)}),
               changes = u8({0, sizeof(LogitChange)}), tokens = i32({2});
  EXPECT_THAT(told_of([=](Context& c) {
                draw_tokens(c, logits, masked, rows, changes, {tokens, f32({2, 1}), i32({2, 0})});
              }).tensors,
              ElementsAre(logits, masked, rows, changes, tokens));
}

// Gradients are read, states and weights read and written.
TEST(OperationObserver, IsToldTheBytesOfAnUpdateOfSlices) {
  const std::vector<AdamWSlice> slices{{f32({10}), f32({10}), f32({10}), f32({10}), {}, 0},
                                       {f32({6}), f32({6}), f32({6}), bf16({6}), u16({6}), 0}};
  const Tensor table = u8({adamw_table_bytes(slices)});
  const Operation update =
      told_of([=](Context& c) { adamw(c, slices, table, f32({adamw_scalars}), {}); });
  EXPECT_EQ(update.name, "adamw");
  EXPECT_EQ(update.bytes, 10 * (4 + 2 * 12) + 6 * (4 + 2 * (4 + 4 + 2 + 2)));
  EXPECT_EQ(update.tensors.size(), 4u + 5u + 2u);
  EXPECT_EQ(told_of([](Context& c) { fill(c, f32({4}), 1); }).bytes, 0);
}

// As often as the observer runs it, with the arguments of the call.
TEST(OperationObserver, MayRunTheOperationLater) {
  Context context(cpu_device, 0);
  Told told;
  context.observer = &told;
  std::vector<float> a{1, 2}, b{10, 20};
  const Tensor x(a.data(), DType::f32, {2}), y(b.data(), DType::f32, {2});
  add(context, x, y, y);
  EXPECT_EQ(b, (std::vector<float>{10, 20}));
  told.all.at(0).run(context);
  told.all.at(0).run(context);
  EXPECT_EQ(b, (std::vector<float>{12, 24}));
}

}  // namespace
}  // namespace fathom::ops
