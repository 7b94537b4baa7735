// Noise drawn from residuals, and the factors that make intervals honest.
#include "scaling/bootstrap.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <set>

#include "io/temp_dir.h"

namespace fathom::scaling {
namespace {

TEST(Bootstrap, NoiseIsOfTheResidualsLessTheirMean) {
  const Noise noise({1, 2, 6}, "a", 1);
  std::set<double> seen;
  double sum = 0;
  for (int i = 0; i < 3000; ++i) {
    seen.insert(noise.at(i / 10, i % 10));
    sum += noise.at(i / 10, i % 10);
  }
  EXPECT_THAT(seen, testing::ElementsAre(-2, -1, 3));
  EXPECT_NEAR(sum / 3000, 0, 0.15);
}

TEST(Bootstrap, NoiseDependsOnSeedNameDrawAndPlaceAlone) {
  const std::vector<double> residuals{1, 2, 3, 4, 5, 6, 7, 8};
  const auto row = [&](const char* name, std::uint64_t seed, int draw) {
    const Noise noise(residuals, name, seed);
    std::vector<double> values;
    for (int i = 0; i < 20; ++i) values.push_back(noise.at(draw, i));
    return values;
  };
  EXPECT_EQ(row("a", 1, 4), row("a", 1, 4));
  EXPECT_NE(row("a", 1, 4), row("b", 1, 4));
  EXPECT_NE(row("a", 1, 4), row("a", 2, 4));
  EXPECT_NE(row("a", 1, 4), row("a", 1, 5));
}

// No observation of one draw has the random number of another one's.
TEST(Bootstrap, DrawsShareNoNoise) {
  std::vector<double> residuals(100000);
  std::iota(residuals.begin(), residuals.end(), 0.0);
  const Noise noise(residuals, "a", 1);
  std::set<double> seen;
  for (int draw = 0; draw < 8; ++draw) {
    for (int i = 0; i < 8; ++i) seen.insert(noise.at(draw, i));
  }
  EXPECT_EQ(seen.size(), 64u);
}

TEST(Bootstrap, WithoutResidualsThereIsNoNoise) {
  EXPECT_EQ(test::runtime_error_of([] { Noise({}, "laws", 1); }),
            "bootstrap 'laws' without residuals");
}

TEST(Bootstrap, FactorsAreThoseOfTheTextbooks) {
  EXPECT_DOUBLE_EQ(residual_factor(8, 3), std::sqrt(8 / 5.0));
  // Quantiles of Student's distribution at 0.975: 2.5706, 2.2281, 2.0595.
  EXPECT_NEAR(small_sample_factor(5), 2.5706 / 1.959964, 5e-3);
  EXPECT_NEAR(small_sample_factor(10), 2.2281 / 1.959964, 5e-4);
  EXPECT_NEAR(small_sample_factor(25), 2.0595 / 1.959964, 1e-4);
  EXPECT_NEAR(small_sample_factor(1e9), 1, 1e-6);
}

TEST(Bootstrap, AnOutlierHardlyMovesTheRobustDeviation) {
  const std::vector<double> residuals{-1, 1, -1, 1, 1000};
  EXPECT_DOUBLE_EQ(robust_deviation(residuals), 1.4826);
}

}  // namespace
}  // namespace fathom::scaling
