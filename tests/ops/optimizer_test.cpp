#include "ops/optimizer.h"

#include <limits>

#include "core/parallel.h"
#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

// The type is the weights'; the states are f32.
class OptimizerTest : public OpsTest {
 protected:
  DeviceTensor floats(const Values& x, Layout layout = {}) {
    return {context_, DType::f32, {std::int64_t(x.size())}, x, layout};
  }
};
INSTANTIATE_ON_DEVICES(OptimizerTest);

constexpr Size sizes[] = {1, 7, 300, 20001};

Values f32_values(Size count, unsigned seed, double scale = 1) {
  Values x = random_values(static_cast<std::int64_t>(count), seed, scale);
  for (double& value : x) value = rounded(DType::f32, value);
  return x;
}

TEST_P(OptimizerTest, AddsTheSumOfSquares) {
  for (const Size n : sizes) {
    const Values x = f32_values(n, 1);
    double expected = 0.5;
    for (const double value : x) expected += value * value;
    for (const Layout& layout : layouts()) {
      const DeviceTensor out = floats({0.5}, layout);
      add_sum_of_squares(context_, floats(x, layout), out);
      EXPECT_NEAR(out.download()[0] / expected, 1, 5e-7);
    }
  }
}

TEST_P(OptimizerTest, SumOfSquaresDoesNotDependOnTheNumberOfThreads) {
  const DeviceTensor x = floats(f32_values(100000, 1));
  const int threads = num_threads();
  Values first;
  for (const int now : {1, 2, 5, 2}) {
    set_num_threads(now);
    const DeviceTensor out = floats({0});
    add_sum_of_squares(context_, x, out);
    if (first.empty()) first = out.download();
    EXPECT_EQ(out.download(), first);
  }
  set_num_threads(threads);
}

TEST_P(OptimizerTest, ClipScaleBoundsTheNorm) {
  const DeviceTensor norm(context_, DType::f32, {1}), scale(context_, DType::f32, {1});
  const auto scale_of = [&](double sum, float max_norm) {
    clip_scale(context_, floats({sum}), max_norm, norm, scale);
    return scale.download()[0];
  };
  EXPECT_NEAR(scale_of(16, 1), 0.25, 1e-6);
  EXPECT_EQ(norm.download()[0], 4);
  EXPECT_EQ(scale_of(0.25, 1), 1);
  EXPECT_EQ(norm.download()[0], 0.5);
  EXPECT_EQ(scale_of(1e10, 0), 1);
  EXPECT_EQ(scale_of(1e10, -1), 1);
  EXPECT_TRUE(std::isnan(scale_of(std::numeric_limits<double>::infinity(), 1)));
  EXPECT_TRUE(std::isnan(scale_of(std::nan(""), 1)));
  EXPECT_TRUE(std::isnan(scale_of(std::nan(""), 0)));
}

struct States {
  Values master, m, v;
};

void reference_adamw(const Values& grad, double scale, const AdamWStep& s, States& states) {
  const double correction1 = 1 - std::pow(double{s.beta1}, double(s.step));
  const double correction2 = 1 - std::pow(double{s.beta2}, double(s.step));
  for (Size i = 0; i < grad.size(); ++i) {
    const double g = grad[i] * scale;
    states.m[i] = s.beta1 * states.m[i] + (1 - double{s.beta1}) * g;
    states.v[i] = s.beta2 * states.v[i] + (1 - double{s.beta2}) * g * g;
    states.master[i] -=
        s.lr * (states.m[i] / correction1 / (std::sqrt(states.v[i] / correction2) + s.epsilon) +
                s.weight_decay * states.master[i]);
  }
}

TEST_P(OptimizerTest, AdamWFollowsItsFormulaOverSteps) {
  for (const Size n : sizes) {
    States states{f32_values(n, 1), Values(n, 0.0), Values(n, 0.0)};
    for (const Layout& layout : {Layout{0, 0}, Layout{1, 0}}) {
      States expected = states;
      const DeviceTensor master = floats(states.master, layout), m = floats(states.m, layout);
      const DeviceTensor v = floats(states.v, layout), scale = floats({0.5});
      const DeviceTensor weight(context_, dtype(), {std::int64_t(n)}, layout);
      for (int step = 1; step <= 3; ++step) {
        const AdamWStep settings{.lr = 0.02f, .weight_decay = 0.1f, .step = step};
        const Values grad = f32_values(n, 10 + static_cast<unsigned>(step));
        adamw(context_, floats(grad, layout), scale, settings, master, m, v, weight);
        reference_adamw(grad, 0.5, settings, expected);
      }
      EXPECT_LT(relative_error(m.download(), expected.m), 1e-6);
      EXPECT_LT(relative_error(v.download(), expected.v), 1e-6);
      const Values result = master.download();
      EXPECT_LT(relative_error(result, expected.master), 1e-6);
      Values stored = result;
      for (double& value : stored) value = rounded(dtype(), value);
      EXPECT_EQ(weight.download(), stored);
    }
  }
}

TEST_P(OptimizerTest, WeightMayBeTheMasterItself) {
  const Values start = f32_values(100, 1), grad = f32_values(100, 2);
  const DeviceTensor one = floats(start), two = floats(start), weight = floats(start);
  for (const DeviceTensor* master : {&one, &two}) {
    const DeviceTensor m = floats(Values(100, 0.0)), v = floats(Values(100, 0.0));
    adamw(context_, floats(grad), floats({1}), {.lr = 0.1f}, *master, m, v,
          master == &one ? one : weight);
  }
  EXPECT_EQ(one.download(), two.download());
  EXPECT_EQ(weight.download(), two.download());
  EXPECT_NE(one.download(), start);
}

TEST_P(OptimizerTest, AScaleThatIsNotFiniteChangesNothing) {
  const Values start = f32_values(50, 1);
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const DeviceTensor master = floats(start), m = floats(start), v = floats(Values(50, 1.0));
    const DeviceTensor weight(context_, dtype(), {50}, Values(50, 2.0));
    adamw(context_, floats(start), floats({bad}), {.lr = 0.1f}, master, m, v, weight);
    EXPECT_EQ(master.download(), start);
    EXPECT_EQ(m.download(), start);
    EXPECT_EQ(v.download(), Values(50, 1.0));
    EXPECT_EQ(weight.download(), Values(50, 2.0));
  }
}

}  // namespace
}  // namespace fathom::ops
