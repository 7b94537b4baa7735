// The references' own backward formulas, against finite differences of their
// forward ones: what stands behind every other test of this folder.
#include "ops/reference.h"

#include <gtest/gtest.h>

#include "ops/ops_test.h"

namespace fathom::ops::test {
namespace {

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (Size i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

constexpr double limit = 1e-8;

TEST(Reference, Linear) {
  const Values x = random_values(15, 1), w = random_values(20, 2), dy = random_values(12, 3);
  const auto of_x = [&](const Values& v) { return dot(dy, reference_linear(3, 5, 4, v, w)); };
  const auto of_w = [&](const Values& v) { return dot(dy, reference_linear(3, 5, 4, x, v)); };
  EXPECT_LT(
      relative_error(reference_linear_backward_input(3, 5, 4, dy, w), finite_differences(of_x, x)),
      limit);
  EXPECT_LT(
      relative_error(reference_linear_backward_weight(3, 5, 4, dy, x), finite_differences(of_w, w)),
      limit);
}

TEST(Reference, RMSNorm) {
  const Values h = random_values(15, 1), weight = random_values(5, 2), dy = random_values(15, 3);
  const auto of_h = [&](const Values& v) {
    return dot(dy, reference_rmsnorm(3, 5, v, weight, 1e-3).y);
  };
  const auto of_weight = [&](const Values& v) {
    return dot(dy, reference_rmsnorm(3, 5, h, v, 1e-3).y);
  };
  const Values rstd = reference_rmsnorm(3, 5, h, weight, 1e-3).rstd;
  const RMSNormGradients gradients = reference_rmsnorm_backward(3, 5, dy, h, weight, rstd);
  EXPECT_LT(relative_error(gradients.dh, finite_differences(of_h, h)), limit);
  EXPECT_LT(relative_error(gradients.dweight, finite_differences(of_weight, weight)), limit);
}

TEST(Reference, Rope) {
  const Values x = random_values(36, 1), dy = random_values(36, 2), positions{4, 0, 7};
  const Values table = rope_table(8, 6);
  const auto of_x = [&](const Values& v) {
    return dot(dy, reference_rope(3, 2, 6, v, positions, table, 1));
  };
  EXPECT_LT(relative_error(reference_rope(3, 2, 6, dy, positions, table, -1),
                           finite_differences(of_x, x)),
            limit);
}

TEST(Reference, Swiglu) {
  const Values x = random_values(30, 1, 3), dy = random_values(15, 2);
  const auto of_x = [&](const Values& v) { return dot(dy, reference_swiglu(3, 5, v)); };
  EXPECT_LT(relative_error(reference_swiglu_backward(3, 5, dy, x), finite_differences(of_x, x)),
            limit);
}

TEST(Reference, CrossEntropy) {
  const Values x = random_values(18, 1, 3), targets{4, -1, 0};
  const auto of_x = [&](const Values& v) {
    return 0.5 * dot(Values(3, 1.0), reference_cross_entropy(3, 6, v, targets, 0.5).losses);
  };
  EXPECT_LT(relative_error(reference_cross_entropy(3, 6, x, targets, 0.5).gradient,
                           finite_differences(of_x, x)),
            limit);
}

}  // namespace
}  // namespace fathom::ops::test
