#include "ops/cpu/math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fathom::ops::cpu {
namespace {

TEST(ExpOf, IsWithinTwoUlpOfTheRealExponential) {
  for (float x = -87.3f; x < 88.72f; x += 0.00173f) {
    const double expected = std::exp(static_cast<double>(x));
    int exponent = 0;
    std::frexp(expected, &exponent);
    EXPECT_LE(std::fabs(exp_of(x) - expected), 2 * std::ldexp(1.0, exponent - 24)) << "x = " << x;
  }
}

TEST(ExpOf, HandlesTheEndsOfTheRange) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exp_of(0.0f), 1.0f);
  EXPECT_EQ(exp_of(-0.0f), 1.0f);
  EXPECT_EQ(exp_of(-inf), 0.0f);
  EXPECT_EQ(exp_of(-1e30f), 0.0f);
  EXPECT_EQ(exp_of(-87.5f), 0.0f);
  EXPECT_EQ(exp_of(inf), inf);
  EXPECT_EQ(exp_of(89.0f), inf);
  EXPECT_EQ(exp_of(1e30f), inf);
  EXPECT_TRUE(std::isnan(exp_of(std::numeric_limits<float>::quiet_NaN())));
}

TEST(SigmoidOf, HandlesTheEndsOfTheRange) {
  EXPECT_EQ(sigmoid_of(0.0f), 0.5f);
  EXPECT_EQ(sigmoid_of(200.0f), 1.0f);
  EXPECT_EQ(sigmoid_of(-200.0f), 0.0f);
  EXPECT_NEAR(sigmoid_of(1.0f), 0.7310585786, 1e-7);
}

}  // namespace
}  // namespace fathom::ops::cpu
