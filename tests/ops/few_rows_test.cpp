// The kernels of few rows, with each set of instructions that this processor has.
#include "ops/cpu/few_rows.h"

#include "ops/ops_test.h"

namespace fathom::ops::cpu {
namespace {

using namespace test;

using FewRowsParam = std::tuple<DType, Instructions>;

class FewRowsTest : public testing::TestWithParam<FewRowsParam> {
 protected:
  void SetUp() override {
    if (instructions() > widest_instructions()) GTEST_SKIP() << "the processor has none of these";
  }
  DType dtype() const { return std::get<0>(GetParam()); }
  Instructions instructions() const { return std::get<1>(GetParam()); }
  Values values(Size count, unsigned seed) const {
    Values result = random_values(static_cast<std::int64_t>(count), seed);
    for (double& value : result) value = rounded(dtype(), value);
    return result;
  }
  DeviceTensor tensor(Size rows, Size cols, unsigned seed, const Layout& layout = {}) {
    return DeviceTensor(context_, dtype(), matrix(rows, cols), values(rows * cols, seed), layout);
  }

  Context context_{cpu_device};
};
INSTANTIATE_TEST_SUITE_P(
    All, FewRowsTest,
    testing::Combine(testing::Values(DType::f32, DType::bf16),
                     testing::Values(Instructions::common, Instructions::avx512)),
    [](const testing::TestParamInfo<FewRowsParam>& param) {
      return std::string(name_of(std::get<0>(param.param))) +
             (std::get<1>(param.param) == Instructions::common ? "_common" : "_avx512");
    });

// Rows of a weight that are less than a vector, whole vectors, and neither; tiles that are not full.
TEST_P(FewRowsTest, AreXTimesWTransposed) {
  for (const auto& [in, out] : std::vector<std::pair<Size, Size>>{
           {1, 1}, {5, 3}, {31, 4}, {32, 7}, {33, 8}, {63, 5}, {64, 33}, {191, 9}, {1000, 6}}) {
    for (const Size n : {1, 2, 3, 4, 5, 6, 7, 11, 16}) {
      const Values product = reference_linear(n, in, out, values(n * in, 1), values(out * in, 2));
      for (const Layout& layout : layouts()) {
        const DeviceTensor x = tensor(n, in, 1, layout), w = tensor(out, in, 2, layout);
        const DeviceTensor y(context_, DType::f32, matrix(n, out), layout);
        ASSERT_TRUE(linear_of_few_rows(context_, x, w, y, Accumulate::overwrite, instructions()));
        EXPECT_LT(relative_error(y.download(), product), 2e-6) << n << " " << in << " " << out;
        linear_of_few_rows(context_, x, w, y, Accumulate::add, instructions());
        Values twice = product;
        for (double& value : twice) value *= 2;
        EXPECT_LT(relative_error(y.download(), twice), 2e-6);
        const DeviceTensor rounded_y(context_, dtype(), matrix(n, out), layout);
        linear_of_few_rows(context_, x, w, rounded_y, Accumulate::overwrite, instructions());
        EXPECT_LT(relative_error(rounded_y.download(), product),
                  dtype() == DType::f32 ? 2e-6 : 3e-3);
      }
    }
  }
}

// What stands beside a row, or behind its end, is not read into it.
TEST_P(FewRowsTest, ReadNothingBesideTheirRows) {
  const Size in = 45, out = 6, n = 3;
  const Values a = values(n * in, 1), b = values(out * in, 2);
  const auto beside_nan = [&](const Values& inner, Size rows) {
    Values all;
    for (Size r = 0; r < rows; ++r) {
      all.insert(all.end(), inner.begin() + long(r * in), inner.begin() + long((r + 1) * in));
      all.insert(all.end(), 3, std::nan(""));
    }
    return all;
  };
  const DeviceTensor x(context_, dtype(), matrix(n, in + 3), beside_nan(a, n));
  const DeviceTensor w(context_, dtype(), matrix(out, in + 3), beside_nan(b, out));
  const DeviceTensor y(context_, DType::f32, matrix(n, out));
  ASSERT_TRUE(linear_of_few_rows(context_, x.tensor().columns(0, in), w.tensor().columns(0, in), y,
                                 Accumulate::overwrite, instructions()));
  EXPECT_LT(relative_error(y.download(), reference_linear(n, in, out, a, b)), 2e-6);
}

// More rows than stay in the cache at once, in a workspace that holds few.
TEST_P(FewRowsTest, AnyNumberOfRowsHasTheBitsOfEachAlone) {
  const Size most = 300, in = 333, out = 21;
  const DeviceTensor x = tensor(most, in, 1), w = tensor(out, in, 2);
  const DeviceTensor alone(context_, DType::f32, matrix(most, out));
  for (std::int64_t row = 0; row < long(most); ++row) {
    linear_of_rows(context_, x.tensor().slice(row, 1), w, alone.tensor().slice(row, 1),
                   Accumulate::overwrite, instructions());
  }
  const Values expected = alone.download();
  EXPECT_LT(relative_error(expected,
                           reference_linear(most, in, out, values(most * in, 1), values(out * in, 2))),
            2e-6);
  Context small(cpu_device, 40 << 10);
  for (Context* context : {&context_, &small}) {
    for (const Size n : {2, 15, 16, 17, 127, 129, 300}) {
      const DeviceTensor y(*context, DType::f32, matrix(n, out));
      linear_of_rows(*context, x.tensor().slice(0, long(n)), w, y, Accumulate::overwrite,
                     instructions());
      EXPECT_EQ(y.download(), Values(expected.begin(), expected.begin() + long(n * out))) << n;
    }
  }
}

TEST_P(FewRowsTest, RefuseManyRowsAndATooSmallWorkspace) {
  const DeviceTensor x = tensor(17, 64, 1), w = tensor(3, 64, 2);
  const DeviceTensor y(context_, DType::f32, matrix(17, 3));
  EXPECT_FALSE(linear_of_few_rows(context_, x, w, y, Accumulate::overwrite, instructions()));
  Context none(cpu_device, 512);
  const bool packs = dtype() == DType::f32 || instructions() == Instructions::common;
  EXPECT_EQ(linear_of_few_rows(none, x.tensor().slice(0, 2), w, y.tensor().slice(0, 2),
                               Accumulate::overwrite, instructions()),
            !packs);
}

}  // namespace
}  // namespace fathom::ops::cpu
