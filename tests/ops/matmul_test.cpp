#include "ops/matmul.h"

#include "core/num_threads_scope.h"
#include "core/parallel.h"
#include "ops/cpu/gemm_bf16.h"
#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

struct ProductSizes {
  Size n, in, out;
};
// Odd ones, vectors, few rows, and one that spans several blocks of the smallest workspace.
constexpr ProductSizes product_sizes[] = {{1, 1, 1},    {1, 64, 33},  {7, 1, 5},     {5, 17, 3},
                                          {3, 100, 30}, {16, 48, 11}, {37, 65, 129}, {130, 96, 64}};

class MatmulTest : public OpsTest {
 protected:
  // An f32 sum of k products is off by a few units of rounding times sqrt(k).
  double f32_tolerance() const { return 2e-6; }
};
INSTANTIATE_ON_DEVICES(MatmulTest);

Values sum(Values a, const Values& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

TEST_P(MatmulTest, LinearIsXTimesWTransposed) {
  for (const auto& [n, in, out] : product_sizes) {
    const Values x = values(n * in, 1), w = values(out * in, 2), before = values(n * out, 3);
    const Values product = reference_linear(n, in, out, x, w);
    for (const Layout& layout : layouts()) {
      const DeviceTensor dx(context_, dtype(), Shape{long(n), long(in)}, x, layout);
      const DeviceTensor dw(context_, dtype(), Shape{long(out), long(in)}, w, layout);
      for (const DType y_type : {dtype(), DType::f32}) {
        DeviceTensor y(context_, y_type, Shape{long(n), long(out)}, layout);
        linear(context_, dx, dw, y);
        const double limit = y_type == DType::f32 ? f32_tolerance() : tolerance();
        EXPECT_LT(relative_error(y.download(), product), limit) << n << " " << in << " " << out;
        y.upload(before);
        linear(context_, dx, dw, y, Accumulate::add);
        EXPECT_LT(relative_error(y.download(), sum(product, before)), limit);
      }
    }
  }
}

TEST_P(MatmulTest, BackwardInputIsDyTimesW) {
  for (const auto& [n, in, out] : product_sizes) {
    const Values dy = values(n * out, 1), w = values(out * in, 2), before = values(n * in, 3);
    const Values product = reference_linear_backward_input(n, in, out, dy, w);
    for (const Layout& layout : layouts()) {
      const DeviceTensor ddy(context_, dtype(), Shape{long(n), long(out)}, dy, layout);
      const DeviceTensor dw(context_, dtype(), Shape{long(out), long(in)}, w, layout);
      DeviceTensor dx(context_, dtype(), Shape{long(n), long(in)}, layout);
      linear_backward_input(context_, ddy, dw, dx);
      const double limit = is_f32() ? f32_tolerance() : tolerance();
      EXPECT_LT(relative_error(dx.download(), product), limit) << n << " " << in << " " << out;
      dx.upload(before);
      linear_backward_input(context_, ddy, dw, dx, Accumulate::add);
      EXPECT_LT(relative_error(dx.download(), sum(product, before)), limit);
    }
  }
}

TEST_P(MatmulTest, BackwardWeightAddsInF32) {
  for (const auto& [n, in, out] : product_sizes) {
    const Values dy = values(n * out, 1), x = values(n * in, 2),
                 before = random_values(out * in, 3);
    const Values product = reference_linear_backward_weight(n, in, out, dy, x);
    const Values expected = sum(product, before);
    for (const Layout& layout : layouts()) {
      const DeviceTensor ddy(context_, dtype(), Shape{long(n), long(out)}, dy, layout);
      const DeviceTensor dx(context_, dtype(), Shape{long(n), long(in)}, x, layout);
      DeviceTensor dw(context_, DType::f32, Shape{long(out), long(in)}, before, layout);
      linear_backward_weight(context_, ddy, dx, dw);
      EXPECT_LT(relative_error(dw.download(), expected), f32_tolerance());
      dw.upload(Values(before.size(), std::nan("")));
      linear_backward_weight(context_, ddy, dx, dw, Accumulate::overwrite);
      EXPECT_LT(relative_error(dw.download(), product), f32_tolerance());
    }
  }
}

TEST_P(MatmulTest, LeadingDimensionsCountAsRowsAndNoRowsAreFine) {
  const Values x = values(6 * 5, 1), w = values(4 * 5, 2);
  const DeviceTensor dx(context_, dtype(), Shape{2, 3, 5}, x),
      dw(context_, dtype(), Shape{4, 5}, w);
  const DeviceTensor y(context_, dtype(), Shape{2, 3, 4});
  linear(context_, dx, dw, y);
  EXPECT_LT(relative_error(y.download(), reference_linear(6, 5, 4, x, w)), tolerance());

  const DeviceTensor none(context_, dtype(), Shape{0, 5}), no_y(context_, dtype(), Shape{0, 4});
  linear(context_, none, dw, no_y);
  const DeviceTensor gradient(context_, DType::f32, Shape{4, 5}, Values(20, 3.0));
  linear_backward_weight(context_, no_y, none, gradient);
  EXPECT_EQ(gradient.download(), Values(20, 3.0));
}

// Generation in a batch gives the text of each request alone.
TEST_P(MatmulTest, ARowOfAFewDoesNotDependOnTheOthers) {
  if (device().type != DeviceType::cpu) GTEST_SKIP() << "a GPU chooses its algorithm by the size";
  const Size in = 333, out = 70;
  const std::int64_t most = 16;
  const DeviceTensor w(context_, dtype(), Shape{long(out), long(in)}, values(out * in, 2));
  const DeviceTensor x(context_, dtype(), Shape{most, long(in)}, values(Size(most) * in, 1));
  const DeviceTensor alone(context_, DType::f32, Shape{most, long(out)});
  for (std::int64_t row = 0; row < most; ++row) {
    linear(context_, x.tensor().slice(row, 1), w, alone.tensor().slice(row, 1));
  }
  const Values expected = alone.download();
  for (std::int64_t n = 2; n <= most; ++n) {
    const DeviceTensor y(context_, DType::f32, Shape{n, long(out)});
    linear(context_, x.tensor().slice(0, n), w, y);
    EXPECT_EQ(y.download(), Values(expected.begin(), expected.begin() + n * long(out))) << n;
  }
}

// With BatchInvariance::on, rows of any number: as many as each of a GPU's tiles is for, widths
// that vectors divide and that they do not, from any place on.
TEST_P(MatmulTest, ARowNeverDependsOnTheOthersWhereThatIsAsked) {
  context_.batch_invariance = BatchInvariance::on;
  const std::int64_t most = 300;
  for (const auto& [in, out] : {std::pair<Size, Size>{336, 72}, {333, 71}, {40, 1100}}) {
    const Values a = values(Size(most) * in, 1), b = values(out * in, 2);
    const DeviceTensor w(context_, dtype(), Shape{long(out), long(in)}, b);
    const DeviceTensor x(context_, dtype(), Shape{most, long(in)}, a);
    const DeviceTensor alone(context_, dtype(), Shape{most, long(out)});
    for (std::int64_t row = 0; row < most; ++row) {
      linear(context_, x.tensor().slice(row, 1), w, alone.tensor().slice(row, 1));
    }
    const Values expected = alone.download();
    EXPECT_LT(relative_error(expected, reference_linear(Size(most), in, out, a, b)),
              is_f32() ? f32_tolerance() : tolerance());
    for (const std::int64_t n : {2, 9, 16, 17, 33, 65, 129, 300}) {
      const std::int64_t first = n % 7 % (most - n + 1);
      const DeviceTensor y(context_, dtype(), Shape{n, long(out)});
      linear(context_, x.tensor().slice(first, n), w, y);
      const auto from = expected.begin() + first * long(out);
      EXPECT_EQ(y.download(), Values(from, from + n * long(out))) << n << " rows of " << in;
    }
  }
}

TEST_P(MatmulTest, RowsInOneOrderAddAndLieApart) {
  context_.batch_invariance = BatchInvariance::on;
  const Size n = 37, in = 110, out = 25;
  const Values a = values(n * in, 1), b = values(out * in, 2), before = values(n * out, 3);
  Values expected = reference_linear(n, in, out, a, b);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += before[i];
  for (const Layout& layout : layouts()) {
    const DeviceTensor x(context_, dtype(), Shape{long(n), long(in)}, a, layout);
    const DeviceTensor w(context_, dtype(), Shape{long(out), long(in)}, b, layout);
    const DeviceTensor y(context_, dtype(), Shape{long(n), long(out)}, before, layout);
    linear(context_, x, w, y, Accumulate::add);
    EXPECT_LT(relative_error(y.download(), expected), is_f32() ? f32_tolerance() : tolerance());
  }
}

// In parts of rows that do not divide them, where the processor has products in bf16; few rows
// and many; and in a workspace that the parts do not fit in.
TEST_P(MatmulTest, ReadyThreadsShareAProduct) {
  if (device().type != DeviceType::cpu) GTEST_SKIP() << "they are the CPU's";
  const NumThreadsScope threads(3);
  for (const auto& [n, in, out] :
       std::vector<ProductSizes>{{3, 100, 70}, {37, 65, 9}, {40, 96, 1000}, {130, 33, 449}}) {
    const Values a = values(n * in, 1), b = values(out * in, 2), before = values(n * out, 3);
    const Values product = reference_linear(n, in, out, a, b);
    for (const Layout& layout : layouts()) {
      const DeviceTensor x(context_, dtype(), Shape{long(n), long(in)}, a, layout);
      const DeviceTensor w(context_, dtype(), Shape{long(out), long(in)}, b, layout);
      const DeviceTensor y(context_, dtype(), Shape{long(n), long(out)}, layout);
      const DeviceTensor sums(context_, DType::f32, Shape{long(n), long(out)}, before, layout);
      const DeviceTensor in_small(context_, dtype(), Shape{long(n), long(out)}, layout);
      Context small(device(), 24 << 10);
      with_ready_threads([&] {
        linear(context_, x, w, y);
        linear(context_, x, w, sums, Accumulate::add);
        linear(small, x, w, in_small);
      });
      EXPECT_LT(relative_error(y.download(), product), tolerance() * 2) << n << " " << out;
      EXPECT_LT(relative_error(sums.download(), sum(product, before)), f32_tolerance());
      EXPECT_LT(relative_error(in_small.download(), product), tolerance() * 2);
    }
  }
  EXPECT_EQ(context_.workspace.mark(), 0u);
}

// By themselves, for products take another way where these have none.
TEST(ReadyThreads, HaveBf16ProductsOfTheirOwn) {
  const NumThreadsScope threads(3);
  Context context(cpu_device);
  for (const long n : {40L, 130L}) {
    const Values a = random_values(static_cast<Size>(n) * 96, 1), b = random_values(64 * 96, 2);
    const DeviceTensor x(context, DType::bf16, Shape{n, 96}, a);
    const DeviceTensor w(context, DType::bf16, Shape{64, 96}, b);
    const DeviceTensor y(context, DType::bf16, Shape{n, 64});
    with_ready_threads([&] {
      EXPECT_EQ(cpu::gemm_in_bf16(context, {x}, {w, true}, y, Accumulate::overwrite),
                cpu::processor_has_bf16());
    });
  }
}

TEST(ReadyThreads, SuitStepsThatGiveEachOfThemRows) {
  const NumThreadsScope threads(3);
  Context context(cpu_device);
  EXPECT_TRUE(suits_ready_threads(context, DType::f32, 16));
  EXPECT_FALSE(suits_ready_threads(context, DType::f32, 17));
  EXPECT_FALSE(suits_ready_threads(context, DType::bf16, 47));
  EXPECT_EQ(suits_ready_threads(context, DType::bf16, 48), cpu::processor_has_bf16());
  context.batch_invariance = BatchInvariance::on;
  EXPECT_TRUE(suits_ready_threads(context, DType::f32, 17));
}

// 16 rows in f32 take 7 KiB: the general product, in small blocks, takes over.
TEST_P(MatmulTest, AFewRowsNeedNoWorkspace) {
  if (device().type != DeviceType::cpu) GTEST_SKIP() << "blocks are the CPU's";
  Context small(device(), 4 << 10);
  const Size n = 16, in = 110, out = 9;
  const Values x = values(n * in, 1), w = values(out * in, 2);
  const DeviceTensor dx(small, dtype(), Shape{long(n), long(in)}, x);
  const DeviceTensor dw(small, dtype(), Shape{long(out), long(in)}, w);
  const DeviceTensor y(small, dtype(), Shape{long(n), long(out)});
  linear(small, dx, dw, y);
  EXPECT_LT(relative_error(y.download(), reference_linear(n, in, out, x, w)),
            is_f32() ? f32_tolerance() : tolerance());
  EXPECT_EQ(small.workspace.mark(), 0u);
}

// Blocks of every dimension: 16 KiB of workspace hold panels of about 36 x 36.
TEST_P(MatmulTest, ASmallWorkspaceChangesNothingButTheBlocks) {
  if (device().type != DeviceType::cpu) GTEST_SKIP() << "blocks are the CPU's";
  Context small(device(), 16 << 10);
  const Size n = 70, in = 110, out = 90;
  const Values x = values(n * in, 1), w = values(out * in, 2), before = values(n * out, 3);
  const DeviceTensor dx(small, dtype(), Shape{70, 110}, x, {1, 2});
  const DeviceTensor dw(small, dtype(), Shape{90, 110}, w, {0, 3});
  const DeviceTensor y(small, dtype(), Shape{70, 90}, before, {3, 1});
  linear(small, dx, dw, y, Accumulate::add);
  EXPECT_LT(relative_error(y.download(), sum(reference_linear(n, in, out, x, w), before)),
            is_f32() ? f32_tolerance() : tolerance());
  EXPECT_EQ(small.workspace.mark(), 0u);
}

}  // namespace
}  // namespace fathom::ops
