#include "ops/swiglu.h"

#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

class SwigluTest : public OpsTest {};
INSTANTIATE_ON_DEVICES(SwigluTest);

constexpr std::pair<Size, Size> swiglu_sizes[] = {{1, 1}, {3, 5}, {6, 64}, {33, 301}};

TEST_P(SwigluTest, IsSiluOfTheGateTimesUp) {
  for (const auto& [n, f] : swiglu_sizes) {
    const Values gate_up = values(n * 2 * f, 1, 9);
    for (const Layout& layout : layouts()) {
      const DeviceTensor in(context_, dtype(), matrix(n, 2 * f), gate_up, layout);
      const DeviceTensor y(context_, dtype(), matrix(n, f), layout);
      swiglu(context_, in, y);
      EXPECT_LT(relative_error(y.download(), reference_swiglu(n, f, gate_up)), tolerance());
    }
  }
}

TEST_P(SwigluTest, BackwardGivesBothGradientsAlsoInPlace) {
  for (const auto& [n, f] : swiglu_sizes) {
    const Values gate_up = values(n * 2 * f, 1, 9), dy = values(n * f, 2);
    const Values expected = reference_swiglu_backward(n, f, dy, gate_up);
    for (const Layout& layout : layouts()) {
      const DeviceTensor in(context_, dtype(), matrix(n, 2 * f), gate_up, layout);
      const DeviceTensor d(context_, dtype(), matrix(n, f), dy, layout);
      const DeviceTensor out(context_, dtype(), matrix(n, 2 * f), layout);
      swiglu_backward(context_, d, in, out);
      EXPECT_LT(relative_error(out.download(), expected), tolerance());
      swiglu_backward(context_, d, in, in);
      EXPECT_EQ(in.download(), out.download());
    }
  }
}

TEST_P(SwigluTest, IsFiniteForHugeGates) {
  const Values gate_up{-200, 200, -88, 88, 2, 2, 2, 2};
  const DeviceTensor in(context_, dtype(), {1, 8}, gate_up), y(context_, dtype(), {1, 4});
  swiglu(context_, in, y);
  EXPECT_EQ(y.download()[0], 0);
  EXPECT_EQ(y.download()[1], 400);
  EXPECT_LT(std::fabs(y.download()[2]), 1e-30);
  EXPECT_EQ(y.download()[3], 176);
}

}  // namespace
}  // namespace fathom::ops
