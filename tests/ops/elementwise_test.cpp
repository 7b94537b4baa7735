#include "ops/elementwise.h"

#include "core/philox.h"
#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

class ElementwiseTest : public OpsTest {};
INSTANTIATE_ON_DEVICES(ElementwiseTest);

constexpr std::pair<std::int64_t, std::int64_t> elementwise_sizes[] = {
    {1, 1}, {3, 7}, {50, 333}, {1, 20000}};

TEST_P(ElementwiseTest, ConvertsBothWays) {
  for (const auto& [rows, cols] : elementwise_sizes) {
    const Values x = values(rows * cols, 1, 100);
    for (const DType to_type : {DType::f32, DType::bf16}) {
      Values expected = x;
      for (double& value : expected) value = rounded(to_type, value);
      for (const Layout& layout : layouts()) {
        const DeviceTensor from(context_, dtype(), {rows, cols}, x, layout);
        const DeviceTensor to(context_, to_type, {rows, cols}, Layout{layout.offset, 3});
        const DeviceTensor dense(context_, to_type, {rows, cols});
        convert(context_, from, to);
        EXPECT_EQ(to.download(), expected);
        convert(context_, from, dense);
        EXPECT_EQ(dense.download(), expected);
      }
    }
  }
}

TEST_P(ElementwiseTest, AddsAlsoInPlace) {
  for (const auto& [rows, cols] : elementwise_sizes) {
    const Values a = values(rows * cols, 1), b = values(rows * cols, 2);
    Values expected = a;
    for (Size i = 0; i < a.size(); ++i) expected[i] = rounded(dtype(), a[i] + b[i]);
    for (const Layout& layout : layouts()) {
      const DeviceTensor x(context_, dtype(), {rows, cols}, a, layout);
      const DeviceTensor y(context_, dtype(), {rows, cols}, b);
      const DeviceTensor sum(context_, dtype(), {rows, cols}, layout);
      add(context_, x, y, sum);
      EXPECT_EQ(sum.download(), expected);
      add(context_, x, y, x);
      EXPECT_EQ(x.download(), expected);
    }
  }
}

TEST_P(ElementwiseTest, Fills) {
  for (const auto& [rows, cols] : elementwise_sizes) {
    for (const Layout& layout : layouts()) {
      const DeviceTensor x(context_, dtype(), {rows, cols}, layout);
      fill(context_, x, 1.5f);
      EXPECT_EQ(x.download(), Values(static_cast<Size>(rows * cols), 1.5));
    }
  }
}

// Element i of the stream: half of Box and Muller's pair from two words of
// Philox block i / 4, in double.
double reference_normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  const Philox::Block words = Philox{seed, stream}(index / 4);
  const std::uint32_t* pair = words.v + (index % 4) / 2 * 2;
  const double radius = std::sqrt(-2 * std::log(((pair[0] >> 8) + 1) * 0x1p-24));
  const double angle = 2 * M_PI * (pair[1] >> 8) * 0x1p-24;
  return radius * (index % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

TEST_P(ElementwiseTest, FillNormalFollowsItsDefinition) {
  const NormalFill settings{
      .standard_deviation = 0.5, .seed = 7, .stream = 9, .global_columns = 700};
  Values expected(30 * 700);
  for (Size i = 0; i < expected.size(); ++i) expected[i] = 0.5 * reference_normal(7, 9, i);
  const DeviceTensor x(context_, dtype(), {30, 700});
  fill_normal(context_, x, settings);
  EXPECT_LT(relative_error(x.download(), expected), is_f32() ? 3e-7 : 3e-3);
}

TEST_P(ElementwiseTest, FillNormalGivesAnySliceTheSameNumbers) {
  NormalFill settings{.seed = 3, .stream = 1, .global_columns = 611};
  const DeviceTensor whole(context_, dtype(), {40, 611});
  fill_normal(context_, whole, settings);
  const Values all = whole.download();
  for (const auto& [row, col, rows, cols] :
       {std::tuple{0, 0, 40, 1}, {3, 5, 7, 600}, {39, 610, 1, 1}}) {
    settings.first_row = row;
    settings.first_column = col;
    const DeviceTensor part(context_, dtype(), {rows, cols}, Layout{1, 2});
    fill_normal(context_, part, settings);
    const Values values = part.download();
    for (int i = 0; i < rows * cols; ++i) {
      EXPECT_EQ(values[Size(i)], all[Size((row + i / cols) * 611 + col + i % cols)]);
    }
  }
}

TEST_P(ElementwiseTest, FillNormalIsNormalAndDependsOnSeedAndStream) {
  const std::int64_t n = 200000;
  const DeviceTensor x(context_, dtype(), {1, n}), other(context_, dtype(), {1, n});
  fill_normal(context_, x, {.seed = 1, .stream = 2, .global_columns = n});
  const Values values = x.download();
  double mean = 0, square = 0, fourth = 0, pairs = 0;
  for (Size i = 0; i < values.size(); ++i) {
    mean += values[i] / double(n);
    square += values[i] * values[i] / double(n);
    fourth += std::pow(values[i], 4) / double(n);
    if (i > 0) pairs += values[i] * values[i - 1] / double(n);
  }
  EXPECT_NEAR(mean, 0, 0.01);  // 4.5 standard errors
  EXPECT_NEAR(square, 1, 0.015);
  EXPECT_NEAR(fourth, 3, 0.12);
  EXPECT_NEAR(pairs, 0, 0.01);
  for (const NormalFill& differs : {NormalFill{.seed = 2, .stream = 2, .global_columns = n},
                                    NormalFill{.seed = 1, .stream = 3, .global_columns = n}}) {
    fill_normal(context_, other, differs);
    EXPECT_GT(relative_error(other.download(), values), 1.0);
  }
}

}  // namespace
}  // namespace fathom::ops
