#include "ops/int8.h"

#include "ops/cpu/few_rows.h"
#include "ops/cpu/gemm_bf16.h"
#include "ops/cpu/gemm_int8.h"
#include "ops/cpu/int8.h"
#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;
using testing::HasSubstr;

double value_of_half(std::uint16_t half) {
  const int exponent = half >> 10, fraction = half & 1023;
  return exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
}

// A matrix of random integers and scales, and its values.
struct TestMatrix {
  TestMatrix(std::int64_t rows, std::int64_t cols)
      : integer_memory(cpu_device, static_cast<std::size_t>(rows * cols)),
        scale_memory(cpu_device, static_cast<std::size_t>(rows * cols / int8_block) * 2),
        matrix{integer_memory.tensor(DType::u8, {rows, cols}),
               scale_memory.tensor(DType::u16, {rows, cols / int8_block})} {
    std::mt19937 engine(1);
    std::uint16_t* const scales = matrix.scales.as<std::uint16_t>();
    for (std::int64_t b = 0; b < matrix.scales.elements(); ++b) {
      // Zero and subnormal numbers too: a block of small weights has them.
      scales[b] = static_cast<std::uint16_t>(b % 7 == 3 ? b % 2 : 0x2000 + engine() % 0x1000);
    }
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      const int integer = static_cast<int>(engine() % 255) - 127;
      matrix.integers.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(integer);
      values.push_back(integer * value_of_half(scales[i / int8_block]));
    }
  }

  Buffer integer_memory, scale_memory;
  Int8Matrix matrix;
  Values values;
};

using Int8Param = std::tuple<DType, cpu::Instructions>;

class Int8Test : public testing::TestWithParam<Int8Param> {
 protected:
  void SetUp() override {
    if (instructions() > cpu::widest_instructions()) GTEST_SKIP() << "the processor has none";
  }
  DType dtype() const { return std::get<0>(GetParam()); }
  cpu::Instructions instructions() const { return std::get<1>(GetParam()); }
  void multiply(Context& context, Tensor x, const TestMatrix& w, Tensor y) const {
    cpu::linear_int8_with(instructions(), context, x, w.matrix, y);
  }
  // Of sums in f32. A product of many rows in bf16 may round the weight to bf16.
  double tolerance(Size rows) const {
    return dtype() == DType::bf16 && rows > Size(cpu::max_few_rows) ? 3e-3 : 2e-6;
  }
  Values rounded_values(std::int64_t count) const {
    Values result = random_values(count, 1);
    for (double& value : result) value = rounded(dtype(), value);
    return result;
  }

  Context context_{cpu_device};
};
INSTANTIATE_TEST_SUITE_P(
    Types, Int8Test,
    testing::Combine(testing::Values(DType::f32, DType::bf16),
                     testing::Values(cpu::Instructions::common, cpu::Instructions::avx512)),
    [](const testing::TestParamInfo<Int8Param>& param) {
      return std::string(name_of(std::get<0>(param.param))) +
             (std::get<1>(param.param) == cpu::Instructions::common ? "_common" : "_avx512");
    });

// Few rows and many; one block a row, and more blocks than have their scales in floats at once.
TEST_P(Int8Test, LinearMultipliesByIntegerTimesScale) {
  for (const auto& [in, out] : std::vector<std::pair<Size, Size>>{{32, 1}, {96, 33}, {2144, 6}}) {
    const TestMatrix w(static_cast<std::int64_t>(out), static_cast<std::int64_t>(in));
    for (const Size n : {1, 2, 3, 4, 5, 9, 16, 17, 40}) {
      const Values x = rounded_values(static_cast<std::int64_t>(n * in));
      const Values product = reference_linear(n, in, out, x, w.values);
      for (const Layout& layout : layouts()) {
        const DeviceTensor dx(context_, dtype(), Shape{long(n), long(in)}, x, layout);
        const DeviceTensor sums(context_, DType::f32, Shape{long(n), long(out)}, layout);
        multiply(context_, dx, w, sums);
        EXPECT_LT(relative_error(sums.download(), product), tolerance(n)) << n << " " << in << " " << out;
        const DeviceTensor y(context_, dtype(), Shape{long(n), long(out)}, layout);
        multiply(context_, dx, w, y);
        EXPECT_LT(relative_error(y.download(), product), dtype() == DType::f32 ? 2e-6 : 3e-3);
      }
    }
  }
}

TEST_P(Int8Test, ARowOfAFewDoesNotDependOnTheOthers) {
  const std::int64_t in = 320, out = 37, most = 16;
  const TestMatrix w(out, in);
  const DeviceTensor x(context_, dtype(), Shape{most, in}, rounded_values(most * in));
  const DeviceTensor alone(context_, DType::f32, Shape{most, out});
  for (std::int64_t row = 0; row < most; ++row) {
    multiply(context_, x.tensor().slice(row, 1), w, alone.tensor().slice(row, 1));
  }
  const Values expected = alone.download();
  for (std::int64_t n = 2; n <= most; ++n) {
    const DeviceTensor y(context_, DType::f32, Shape{n, out});
    multiply(context_, x.tensor().slice(0, n), w, y);
    EXPECT_EQ(y.download(), Values(expected.begin(), expected.begin() + n * out)) << n;
  }
}

TEST_P(Int8Test, ARowNeverDependsOnTheOthersWhereThatIsAsked) {
  context_.batch_invariance = BatchInvariance::on;
  const std::int64_t in = 320, out = 37, most = 70;
  const TestMatrix w(out, in);
  const Values values = rounded_values(most * in);
  const DeviceTensor x(context_, dtype(), Shape{most, in}, values);
  const DeviceTensor alone(context_, DType::f32, Shape{most, out});
  for (std::int64_t row = 0; row < most; ++row) {
    multiply(context_, x.tensor().slice(row, 1), w, alone.tensor().slice(row, 1));
  }
  const Values expected = alone.download();
  EXPECT_LT(
      relative_error(expected, reference_linear(Size(most), Size(in), Size(out), values, w.values)),
      2e-6);
  for (const std::int64_t n : {2, 16, 17, 40, 70}) {
    const DeviceTensor y(context_, DType::f32, Shape{n, out});
    multiply(context_, x.tensor().slice(0, n), w, y);
    EXPECT_EQ(y.download(), Values(expected.begin(), expected.begin() + n * out)) << n;
  }
}

// Blocks of the general product that begin and end within a block of scales.
TEST_P(Int8Test, ASmallWorkspaceChangesNothingButTheBlocks) {
  Context small(cpu_device, 8 << 10);
  const Size n = 30, in = 160, out = 20;
  const TestMatrix w(out, in);
  const Values x = rounded_values(n * in);
  const DeviceTensor dx(small, dtype(), Shape{long(n), long(in)}, x);
  const DeviceTensor y(small, DType::f32, Shape{long(n), long(out)});
  multiply(small, dx, w, y);
  EXPECT_LT(relative_error(y.download(), reference_linear(n, in, out, x, w.values)),
            tolerance(n));
  EXPECT_EQ(small.workspace.mark(), 0u);
}

// By itself, for the product takes another way where this has none.
TEST(Int8InBf16, RoundsTheWeightWhereTheWorkspaceHoldsIt) {
  Context context(cpu_device), small(cpu_device, 200 << 10);
  const Size n = 40, in = 320, out = 500;
  const TestMatrix w(out, in);
  Values x = random_values(n * in, 1);
  for (double& value : x) value = rounded(DType::bf16, value);
  const DeviceTensor dx(context, DType::bf16, Shape{long(n), long(in)}, x);
  const DeviceTensor y(context, DType::f32, Shape{long(n), long(out)});
  EXPECT_FALSE(cpu::linear_int8_in_bf16(small, dx, w.matrix, y));
  ASSERT_EQ(cpu::linear_int8_in_bf16(context, dx, w.matrix, y), cpu::processor_has_bf16());
  if (!cpu::processor_has_bf16()) GTEST_SKIP() << "the processor multiplies no bf16";
  EXPECT_LT(relative_error(y.download(), reference_linear(n, in, out, x, w.values)), 3e-3);
}

TEST_P(Int8Test, EmbeddingLooksUpRowsAndGivesZeroOutside) {
  const Size d = 96;
  const TestMatrix table(11, d);
  const Values ids{20, 30, 19, 25, 31, 20};
  Values expected(ids.size() * d);
  for (Size i = 0; i < expected.size(); ++i) {
    const double id = ids[i / d];
    if (id < 20 || id > 30) continue;
    expected[i] = rounded(dtype(), table.values[(static_cast<Size>(id) - 20) * d + i % d]);
  }
  const DeviceTensor tids(context_, DType::i32, {6}, ids);
  for (const Layout& layout : layouts()) {
    const DeviceTensor y(context_, dtype(), Shape{6, long(d)}, layout);
    embedding_int8(context_, tids, table.matrix, 20, y);
    EXPECT_EQ(y.download(), expected);
  }
}

TEST_P(Int8Test, WhatDoesNotFitIsRefused) {
  const TestMatrix w(4, 64);
  const DeviceTensor x(context_, dtype(), {2, 64}), y(context_, dtype(), {2, 4});
  const auto refused = [&](Tensor x_, Int8Matrix w_, Tensor y_, const char* why) {
    EXPECT_THAT(message_of([&] { linear_int8(context_, x_, w_, y_); }), HasSubstr(why));
  };
  refused(x.tensor().columns(0, 32), w.matrix, y, "the widths do not agree");
  refused(x.tensor().slice(0, 1), w.matrix, y, "the numbers of rows differ");
  refused(x, {w.matrix.integers, w.matrix.scales.view({1, 8})}, y, "scales");
  refused(x, {w.matrix.integers.columns(0, 32), w.matrix.scales}, y, "w");
  const Tensor flat = w.matrix.integers.view({16, 16});
  refused(x, {flat, w.matrix.scales}, y, "rows are no whole number of blocks");
  const DeviceTensor ids(context_, DType::i32, {2}, Values{0, 1});
  EXPECT_THAT(message_of([&] { embedding_int8(context_, ids, w.matrix, 0, y); }),
              HasSubstr("the widths do not agree"));
}

}  // namespace
}  // namespace fathom::ops
