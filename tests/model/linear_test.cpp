#include "model/linear.h"

#include <gmock/gmock.h>

#include <vector>

#include "core/device.h"
#include "ops/matmul.h"

namespace fathom {
namespace {

constexpr std::int64_t in = 32, out = 48, rows = 64;

// A linear layer with FP8 products beside one in f32, on a CPU.
class Fp8Linear : public testing::Test {
 protected:
  static std::vector<ParameterSpec> specs() {
    ParameterSpec spec;
    spec.name = "matrix";
    spec.shape = {out, in};
    spec.gradient_is_product = true;
    spec.is_block_matrix = true;
    return {spec};
  }
  static ParameterStore store(Products products) {
    return {specs(), DType::f32, Gradients::f32, cpu_device, {}, 1, products};
  }
  Fp8Linear() {
    context_.fp8_products = true;
    set_weights(1.0625f);
    store_.weights_changed();
    store_.begin_gradients(context_);
  }
  // The first value makes the scale a power of two, so that numbers of the format stay as they are.
  static void fill(Tensor x, float value) {
    for (std::int64_t i = 0; i < x.elements(); ++i) x.as<float>()[i] = i % 3 == 0 ? 0.5f : value;
    x.as<float>()[0] = 1.75f;
  }
  void set_weights(float value) { fill(parameter().weight, value); }
  Parameter& parameter() { return store_.at("matrix"); }
  Tensor take(std::int64_t n, std::int64_t cols) { return memory_.take(DType::f32, {n, cols}); }
  Tensor take(std::int64_t n, std::int64_t cols, float value) {
    const Tensor x = take(n, cols);
    fill(x, value);
    return x;
  }
  static std::vector<float> values(Tensor x) {
    return {x.as<float>(), x.as<float>() + x.elements()};
  }
  void expect_same(Tensor a, Tensor b) {
    EXPECT_THAT(values(a), testing::Pointwise(testing::FloatNear(1e-4f), values(b)));
  }

  ParameterStore store_ = store(Products::fp8);
  Context context_{cpu_device, Context::default_workspace + Linear::workspace_bytes(store_, rows)};
  Arena memory_{cpu_device, std::size_t{1} << 20};
  Linear linear_{parameter()};
};

// E4M3 has three bits of fraction: 1.0625 lies between 1 and 1.125, and goes to the even one.
TEST_F(Fp8Linear, RoundsActivationsAndWeightsToE4m3) {
  EXPECT_EQ(linear_.precision(), Precision::fp8);
  const Tensor x = take(rows, in, 1.125f), y = take(rows, out), expected = take(rows, out);
  linear_.forward(context_, x, y);
  const Tensor w = take(out, in, 1.0f);
  ops::linear(context_, x, w, expected);
  expect_same(y, expected);
  fill(x, 1.0625f);
  linear_.forward(context_, x, y);
  fill(x, 1.0f);
  ops::linear(context_, x, w, expected);
  expect_same(y, expected);
}

// E5M2 has two: 1.125 goes to 1.
TEST_F(Fp8Linear, RoundsGradientsToE5m2AndWhatTheyMeetToE4m3) {
  const Tensor dy = take(rows, out, 1.125f), x = take(rows, in, 1.0625f);
  const Tensor dx = take(rows, in), expected = take(rows, in);
  linear_.backward_input(context_, dy, dx);
  linear_.backward_weight(context_, dy, x);
  const Tensor rounded_dy = take(rows, out, 1.0f), rounded_x = take(rows, in, 1.0f);
  ops::linear_backward_input(context_, rounded_dy, take(out, in, 1.0f), expected);
  expect_same(dx, expected);
  const Tensor dw = take(out, in);
  ops::linear_backward_weight(context_, rounded_dy, rounded_x, dw, ops::Accumulate::overwrite);
  expect_same(parameter().gradient, dw);
  linear_.backward_weight(context_, dy, x);
  ops::linear_backward_weight(context_, rounded_dy, rounded_x, dw, ops::Accumulate::add);
  expect_same(parameter().gradient, dw);
}

TEST_F(Fp8Linear, SharesAGradientThatWasRoundedOnce) {
  const Tensor dy = take(rows, out, 0.3f), x = take(rows, in, 0.7f);
  const Tensor dx = take(rows, in), again = take(rows, in);
  linear_.backward_input(context_, dy, dx);
  linear_.backward_weight(context_, dy, x);
  const std::vector<float> dw = values(parameter().gradient);
  store_.begin_gradients(context_);
  const ArenaScope scope(context_.workspace);
  const Operand gradient = linear_.gradient(context_, dy);
  fill(dy, 1e9f);  // it is not read again
  linear_.backward_input(context_, gradient.slice(0, 16), again.slice(0, 16));
  linear_.backward_input(context_, gradient.slice(16, 48), again.slice(16, 48));
  linear_.backward_weight(context_, gradient, x);
  EXPECT_EQ(values(again), values(dx));
  EXPECT_EQ(values(parameter().gradient), dw);
  EXPECT_LE(context_.workspace.peak(), context_.workspace.capacity());
}

TEST_F(Fp8Linear, RoundsTheWeightAnewWhenItHasChanged) {
  const Tensor x = take(rows, in, 1.0f), before = take(rows, out), after = take(rows, out);
  linear_.forward(context_, x, before);
  set_weights(0.25f);
  linear_.forward(context_, x, after);
  EXPECT_EQ(values(after), values(before)) << "nobody said that it has changed";
  store_.weights_changed();
  linear_.forward(context_, x, after);
  const Tensor expected = take(rows, out);
  ops::linear(context_, x, parameter().weight, expected);
  expect_same(after, expected);
  set_weights(0.5f);
  store_.begin_gradients(context_);
  const Tensor dx = take(rows, in), expected_dx = take(rows, in);
  const Tensor dy = take(rows, out, 1.0f);
  linear_.backward_input(context_, dy, dx);
  ops::linear_backward_input(context_, dy, parameter().weight, expected_dx);
  expect_same(dx, expected_dx);
}

TEST_F(Fp8Linear, MultipliesOtherNumbersOfRowsInTheWeightsType) {
  ParameterStore plain = store(Products::dtype);
  fill(plain.at("matrix").weight, 1.0625f);
  plain.begin_gradients(context_);
  const Linear same(plain.at("matrix"));
  EXPECT_EQ(same.precision(), Precision::f32);
  for (const std::int64_t n : {1, 15, 40}) {
    const Tensor x = take(n, in, 0.3f), dy = take(n, out, 0.7f);
    const Tensor y = take(n, out), expected = take(n, out);
    linear_.forward(context_, x, y);
    same.forward(context_, x, expected);
    EXPECT_EQ(values(y), values(expected)) << n;
    const Tensor dx = take(n, in), expected_dx = take(n, in);
    const Operand gradient = linear_.gradient(context_, dy);
    linear_.backward_input(context_, gradient, dx);
    same.backward_input(context_, dy, expected_dx);
    EXPECT_EQ(values(dx), values(expected_dx)) << n;
    linear_.backward_weight(context_, gradient, x);
    same.backward_weight(context_, dy, x);
    EXPECT_EQ(values(parameter().gradient), values(plain.at("matrix").gradient)) << n;
  }
}

// As an engine that generates beside training does.
TEST_F(Fp8Linear, MultipliesInTheWeightsTypeWhereTheContextSaysSo) {
  const Tensor x = take(rows, in, 0.3f), y = take(rows, out), expected = take(rows, out);
  context_.fp8_products = false;
  linear_.forward(context_, x, y);
  ops::linear(context_, x, parameter().weight, expected);
  EXPECT_EQ(values(y), values(expected));
}

}  // namespace
}  // namespace fathom
