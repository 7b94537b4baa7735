#include "scaling/laws.h"

#include <gtest/gtest.h>

#include <cmath>

#include "io/temp_dir.h"

namespace fathom::scaling {
namespace {

TEST(Laws, APowerLawIsAPowerTimesACoefficient) {
  PowerLaw law;
  law.coefficient.value = 3;
  law.exponent.value = -0.5;
  EXPECT_DOUBLE_EQ(law.at(4), 1.5);
  EXPECT_EQ(law.interval_at(4), std::nullopt);
}

TEST(Laws, ALossCurveEndsAtItsIrreducibleLoss) {
  LossCurve law;
  law.irreducible.value = 0.7;
  law.coefficient.value = 3;
  law.exponent.value = -0.5;
  EXPECT_DOUBLE_EQ(law.at(4), 2.2);
  law.record.draws = {{1, 3, -0.5}};
  EXPECT_EQ(law.interval_at(4), (Interval{2.5, 2.5}));
}

// Chinchilla's (arXiv 2203.15556, section D.3): 1.69 + 406.4 / N^0.34 + 410.7 / D^0.28.
TEST(Laws, ALossSurfaceAddsWhatModelAndDataLack) {
  LossSurface law;
  law.irreducible.value = 1.69;
  law.model_coefficient.value = 406.4;
  law.model_exponent.value = 0.34;
  law.data_coefficient.value = 410.7;
  law.data_exponent.value = 0.28;
  EXPECT_NEAR(law.at(70e9, 1.4e12), 1.9366, 1e-4);
  law.record.draws = {{1, 2, 1, 3, 0.5}, {1, 2, 1, 3, 0.5}};
  EXPECT_EQ(law.interval_at(2, 9), (Interval{3, 3}));
}

TEST(Laws, TheIntervalIsTheMiddleOfTheDraws) {
  PowerLaw law;
  for (int i = 0; i <= 200; ++i) law.record.draws.push_back({static_cast<double>(200 - i), 1});
  const auto interval = law.interval_at(10);
  ASSERT_TRUE(interval);
  EXPECT_DOUBLE_EQ(interval->low, 50);
  EXPECT_DOUBLE_EQ(interval->high, 1950);
}

TEST(Laws, TheMiddleOfFewValuesLiesBetweenThem) {
  const Interval middle = middle_95({2, 1});
  EXPECT_DOUBLE_EQ(middle.low, 1.025);
  EXPECT_DOUBLE_EQ(middle.high, 1.975);
  EXPECT_EQ(middle_95({7}), (Interval{7, 7}));
}

TEST(Laws, AnAbsentLawIsNamedWithItsFile) {
  Laws laws = deepseek_laws();
  laws.source = "mine.json";
  EXPECT_EQ(&require_law(laws.tokens, "tokens", laws), &*laws.tokens);
  EXPECT_EQ(test::input_error_of([&] { require_law(laws.loss, "loss", laws); }),
            "mine.json: has no law 'loss': fit one with `fathom scaling fit`, or name other laws");
}

// M_opt · D_opt = C, to the digits that the report prints.
TEST(Laws, TheReportsAllocationSpendsTheBudget) {
  const Laws laws = deepseek_laws();
  for (const double compute : {1e17, 1e20, 1e24}) {
    EXPECT_NEAR(laws.model_flops->at(compute) * laws.tokens->at(compute) / compute, 1, 2e-4);
  }
}

}  // namespace
}  // namespace fathom::scaling
