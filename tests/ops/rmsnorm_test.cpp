#include "ops/rmsnorm.h"

#include "core/parallel.h"
#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

class RMSNormTest : public OpsTest {};
INSTANTIATE_ON_DEVICES(RMSNormTest);

// On a GPU a warp takes a row of few columns, and one after another where there are thousands.
constexpr std::pair<Size, Size> rmsnorm_sizes[] = {{1, 1},    {3, 7},     {5, 64},    {37, 192},
                                                   {11, 384}, {9, 512},   {2, 1027},  {200, 129},
                                                   {3, 4096}, {2000, 32}, {2300, 24}, {2, 8192}};

TEST_P(RMSNormTest, AddsThenNormalises) {
  for (const auto& [n, d] : rmsnorm_sizes) {
    const Values residual = values(n * d, 1), delta = values(n * d, 2), weight = values(d, 3);
    Values sum(n * d);
    for (Size i = 0; i < n * d; ++i) sum[i] = rounded(dtype(), residual[i] + delta[i]);
    const RMSNormResult expected = reference_rmsnorm(n, d, sum, weight, 1e-6);
    for (const Layout& layout : layouts()) {
      const DeviceTensor a(context_, dtype(), matrix(n, d), residual, layout);
      const DeviceTensor b(context_, dtype(), matrix(n, d), delta, layout);
      const DeviceTensor w(context_, dtype(), {std::int64_t(d)}, weight, layout);
      const DeviceTensor h(context_, dtype(), matrix(n, d), layout);
      const DeviceTensor y(context_, dtype(), matrix(n, d), layout);
      const DeviceTensor rstd(context_, DType::f32, {std::int64_t(n)}, layout);
      add_rmsnorm(context_, a, b, w, 1e-6f, h, y, rstd);
      EXPECT_EQ(h.download(), sum);
      EXPECT_LT(relative_error(y.download(), expected.y), tolerance()) << n << " x " << d;
      EXPECT_LT(relative_error(rstd.download(), expected.rstd), 1e-6);
    }
  }
}

TEST_P(RMSNormTest, WorksWithoutDeltaAndInPlace) {
  const Size n = 5, d = 33;
  const Values residual = values(n * d, 1), delta = values(n * d, 2), weight = values(d, 3);
  Values sum(n * d);
  for (Size i = 0; i < n * d; ++i) sum[i] = rounded(dtype(), residual[i] + delta[i]);
  const DeviceTensor w(context_, dtype(), {33}, weight);
  const DeviceTensor y(context_, dtype(), matrix(n, d)), rstd(context_, DType::f32, {5});

  const DeviceTensor alone(context_, dtype(), matrix(n, d), residual);
  add_rmsnorm(context_, alone, Tensor{}, w, 1e-5f, Tensor{}, y, rstd);
  EXPECT_LT(relative_error(y.download(), reference_rmsnorm(n, d, residual, weight, 1e-5).y),
            tolerance());

  for (const bool into_residual : {true, false}) {
    const DeviceTensor a(context_, dtype(), matrix(n, d), residual);
    const DeviceTensor b(context_, dtype(), matrix(n, d), delta);
    add_rmsnorm(context_, a, b, w, 1e-5f, into_residual ? a : b, y, rstd);
    EXPECT_EQ((into_residual ? a : b).download(), sum);
    EXPECT_LT(relative_error(y.download(), reference_rmsnorm(n, d, sum, weight, 1e-5).y),
              tolerance());
  }
}

TEST_P(RMSNormTest, BackwardAddsToWhatReachesTheResidual) {
  for (const auto& [n, d] : rmsnorm_sizes) {
    const Values dy = values(n * d, 1), h = values(n * d, 2), weight = values(d, 3);
    const Values incoming = values(n * d, 4), dweight = random_values(d, 5);
    Values rstd = reference_rmsnorm(n, d, h, weight, 1e-2).rstd;
    for (double& r : rstd) r = rounded(DType::f32, r);
    const RMSNormGradients own = reference_rmsnorm_backward(n, d, dy, h, weight, rstd);
    Values total = own.dh, total_dweight = own.dweight;
    for (Size i = 0; i < n * d; ++i) total[i] += incoming[i];
    for (Size i = 0; i < d; ++i) total_dweight[i] += dweight[i];
    for (const Layout& layout : layouts()) {
      DeviceTensor tdy(context_, dtype(), matrix(n, d), dy, layout);
      const DeviceTensor th(context_, dtype(), matrix(n, d), h, layout);
      const DeviceTensor tw(context_, dtype(), {std::int64_t(d)}, weight, layout);
      const DeviceTensor trstd(context_, DType::f32, {std::int64_t(n)}, rstd, layout);
      DeviceTensor dh(context_, dtype(), matrix(n, d), incoming, layout);
      DeviceTensor dw(context_, DType::f32, {std::int64_t(d)}, dweight, layout);
      add_rmsnorm_backward(context_, tdy, th, tw, trstd, Incoming::add, dh, dw);
      EXPECT_LT(relative_error(dh.download(), total), tolerance()) << n << " x " << d;
      EXPECT_LT(relative_error(dw.download(), total_dweight), 1e-6);
      dh.poison();
      dw.upload(dweight);
      add_rmsnorm_backward(context_, tdy, th, tw, trstd, Incoming::none, dh, dw);
      // With d = 1 the gradient is the difference of two almost equal numbers.
      if (d > 1) {
        EXPECT_LT(relative_error(dh.download(), own.dh), tolerance()) << n << " x " << d;
      }
      add_rmsnorm_backward(context_, tdy, th, tw, trstd, Incoming::none, tdy, dw);  // in place
      EXPECT_EQ(tdy.download(), dh.download());
      tdy.upload(dy);
    }
  }
}

// On a GPU a block takes rows in turns: here more than it has on their way at once, and
// a number of rows that its turns do not divide.
TEST_P(RMSNormTest, BackwardTakesManyRows) {
  if (device().type == DeviceType::cpu) GTEST_SKIP() << "the other tests' rows are many there";
  for (const auto& [n, d] : {std::pair<Size, Size>{1601, 4096}, {301, 8192}}) {
    const Values dy = values(n * d, 1), h = values(n * d, 2), weight = values(d, 3);
    Values rstd = reference_rmsnorm(n, d, h, weight, 1e-2).rstd;
    for (double& r : rstd) r = rounded(DType::f32, r);
    const RMSNormGradients expected = reference_rmsnorm_backward(n, d, dy, h, weight, rstd);
    const DeviceTensor tdy(context_, dtype(), matrix(n, d), dy);
    const DeviceTensor th(context_, dtype(), matrix(n, d), h);
    const DeviceTensor tw(context_, dtype(), {std::int64_t(d)}, weight);
    const DeviceTensor trstd(context_, DType::f32, {std::int64_t(n)}, rstd);
    const DeviceTensor dw(context_, DType::f32, {std::int64_t(d)}, Values(d, 0.0));
    add_rmsnorm_backward(context_, tdy, th, tw, trstd, Incoming::none, tdy, dw);  // in place
    EXPECT_LT(relative_error(tdy.download(), expected.dh), tolerance()) << n << " x " << d;
    EXPECT_LT(relative_error(dw.download(), expected.dweight), 1e-6) << n << " x " << d;
  }
}

TEST_P(RMSNormTest, BackwardIsTheSameEveryTime) {
  const Size n = 300, d = 65;
  const DeviceTensor dy(context_, dtype(), matrix(n, d), values(n * d, 1));
  const DeviceTensor h(context_, dtype(), matrix(n, d), values(n * d, 2));
  const DeviceTensor weight(context_, dtype(), {65}, values(d, 3));
  const DeviceTensor rstd(context_, DType::f32, {300}, random_values(n, 4));
  const DeviceTensor dh(context_, dtype(), matrix(n, d));
  Values first;
  for (int run = 0; run < 5; ++run) {
    const DeviceTensor dweight(context_, DType::f32, {65}, Values(d, 0.0));
    add_rmsnorm_backward(context_, dy, h, weight, rstd, Incoming::none, dh, dweight);
    if (run == 0) first = dweight.download();
    EXPECT_EQ(dweight.download(), first);
  }
}

}  // namespace
}  // namespace fathom::ops
