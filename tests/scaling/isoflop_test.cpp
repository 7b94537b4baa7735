// IsoFLOP analysis, and the budgets that cannot carry a law.
#include "scaling/isoflop.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "scaling/synthetic_runs.h"

namespace fathom::scaling {
namespace {

constexpr double tolerance = 0.05;
const BootstrapOptions isoflop_draws{200, 1};

template <class Law>
std::vector<LossPoint> points_of(const Law& law, const synthetic::Study& study) {
  std::vector<LossPoint> points;
  for (const RunResult& run : isoflop_runs(law, study)) {
    points.push_back({run.model_flops, run.tokens, run.compute, run.loss});
  }
  return points;
}

// A budget with a parabola around M = 1e8 · e^offset, seen at e^-2 to e^2 of 1e8.
std::vector<LossPoint> budget_at(double compute, double offset, int runs = 7, double bend = 0.05) {
  std::vector<LossPoint> points;
  for (int i = 0; i < runs; ++i) {
    const double u = -2 + 4.0 * i / (runs - 1), m = 1e8 * std::exp(u);
    points.push_back({m, compute / m, compute, 3 + bend * (u - offset) * (u - offset)});
  }
  return points;
}

void append(std::vector<LossPoint>& to, const std::vector<LossPoint>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

TEST(Isoflop, RecoversTheReportsLaws) {
  synthetic::Study study;
  study.noise = 0;
  const Isoflop fit =
      fit_isoflop(points_of(synthetic::DeepSeek{}, study), tolerance, isoflop_draws);
  EXPECT_NEAR(fit.model_flops->exponent.value, 0.5243, 1e-4);
  EXPECT_NEAR(fit.model_flops->coefficient.value, 0.1715, 1e-3);
  EXPECT_NEAR(fit.tokens->exponent.value, 0.4757, 1e-4);
  EXPECT_NEAR(fit.tokens->coefficient.value, 1 / 0.1715, 0.05);
  ASSERT_EQ(fit.budgets.size(), 5u);
  for (const Budget& budget : fit.budgets) {
    EXPECT_EQ(budget.problem, "");
    EXPECT_NEAR(budget.loss.value, synthetic::DeepSeek{}.best_loss(budget.compute), 1e-4);
    EXPECT_NEAR(budget.model_flops.value * budget.tokens.value / budget.compute, 1, 1e-9);
  }
}

TEST(Isoflop, HoldsTheTruthInItsIntervalsWhenThereIsNoise) {
  synthetic::Study study;
  study.seed = 3;
  const synthetic::DeepSeek law;
  const Isoflop fit = fit_isoflop(points_of(law, study), tolerance, isoflop_draws);
  const auto holds = [](const Parameter& p, double truth) {
    return p.interval->low <= truth && truth <= p.interval->high;
  };
  EXPECT_TRUE(holds(fit.model_flops->exponent, 0.5243));
  EXPECT_TRUE(holds(fit.tokens->exponent, 0.4757));
  EXPECT_NEAR(fit.noise, study.noise, 0.0007);
  const Interval far = *fit.model_flops->interval_at(1e21);
  EXPECT_LE(far.low, law.best_model(1e21));
  EXPECT_GE(far.high, law.best_model(1e21));
  for (const Budget& budget : fit.budgets) {
    EXPECT_TRUE(holds(budget.model_flops, law.best_model(budget.compute))) << budget.compute;
    // M · D = C at both ends.
    EXPECT_NEAR(budget.model_flops.interval->low * budget.tokens.interval->high / budget.compute, 1,
                1e-9);
  }
}

// Copies of one budget have the same residuals: with more of them the same draws are behind more
// degrees of freedom. Student's intervals: 5 and 25 of them.
TEST(Isoflop, TheFewerDegreesOfFreedomTheWiderTheOptimumsInterval) {
  const auto width = [](int copies) {
    std::vector<LossPoint> points;
    for (int copy = 0; copy < copies; ++copy) {
      std::vector<LossPoint> budget = budget_at(1e18 * std::pow(10, copy), 0, 8);
      for (std::size_t i = 0; i < budget.size(); ++i) {
        budget[i].loss *= 1 + 0.002 * std::array{1, -1, 1, -1, -1, 1, -1, 1}[i];
      }
      append(points, budget);
    }
    const Interval interval =
        *fit_isoflop(points, tolerance, {1000, 1}).budgets[0].model_flops.interval;
    return std::log(interval.high / interval.low);
  };
  EXPECT_NEAR(width(1) / width(5), small_sample_factor(5) / small_sample_factor(25), 0.12);
}

// Noise larger than the bend, which leaves the fit itself alone: some draws are so nearly flat that
// no number is their optimum.
TEST(Isoflop, DrawsWithoutAFiniteOptimumAreLeftOutInSilence) {
  constexpr std::array orthogonal_to_parabolas{-1, 6, -15, 20, -15, 6, -1};
  constexpr int draws = 20'000;
  std::vector<LossPoint> points;
  for (const auto& [compute, noise] : {std::pair{1e17, 1.1e-3}, {1e18, 1.53e-3}, {1e19, 1.97e-3}}) {
    append(points, budget_at(compute, 1.5, 7, 0.002));
    for (std::size_t i = 0; i < 7; ++i) {
      points[points.size() - 7 + i].loss += noise * orthogonal_to_parabolas[i];
    }
  }
  testing::internal::CaptureStderr();
  const Isoflop fit = fit_isoflop(points, tolerance, {draws, 1});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_TRUE(fit.model_flops);
  EXPECT_LT(fit.model_flops->record.draws.size(), std::size_t{draws});
}

TEST(Isoflop, SameInputSameIntervals) {
  synthetic::Study study;
  const auto points = points_of(synthetic::DeepSeek{}, study);
  const Isoflop one = fit_isoflop(points, tolerance, isoflop_draws);
  EXPECT_EQ(*one.model_flops, *fit_isoflop(points, tolerance, isoflop_draws).model_flops);
  EXPECT_NE(*one.model_flops, *fit_isoflop(points, tolerance, {200, 2}).model_flops);
}

TEST(Isoflop, RunsOfNearlyTheSameComputeAreOneBudget) {
  std::vector<LossPoint> points = budget_at(1e18, 0);
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i].compute *= 1 + 0.005 * static_cast<double>(i);
  }
  EXPECT_EQ(fit_isoflop(points, 0.05, isoflop_draws).budgets.size(), 1u);
  const Isoflop apart = fit_isoflop(points, 0.016, isoflop_draws);
  ASSERT_EQ(apart.budgets.size(), 2u);
  EXPECT_EQ(apart.budgets[0].points.size(), 4u);
  EXPECT_EQ(apart.budgets[1].problem, "3 model sizes, and a parabola needs 4");
}

TEST(Isoflop, BudgetsThatCannotCarryTheLawsAreNamed) {
  std::vector<LossPoint> points;
  append(points, budget_at(1e17, -2.5));
  append(points, budget_at(3e17, 2.5));
  append(points, budget_at(1e18, 0, 7, -0.05));
  append(points, budget_at(3e18, 0, 3));
  append(points, budget_at(1e19, 0.1));
  points.push_back({5e7, 2e12, 1e20, 2.9});  // a run alone is no budget
  const Isoflop fit = fit_isoflop(points, tolerance, isoflop_draws);
  ASSERT_EQ(fit.budgets.size(), 5u);
  EXPECT_EQ(fit.budgets[0].problem,
            "the optimum is beyond the grid's smallest model; add smaller models");
  EXPECT_EQ(fit.budgets[1].problem,
            "the optimum is beyond the grid's largest model; add larger models");
  EXPECT_EQ(fit.budgets[2].problem, "the parabola opens downward");
  EXPECT_EQ(fit.budgets[3].problem, "3 model sizes, and a parabola needs 4");
  EXPECT_EQ(fit.budgets[4].problem, "");
  EXPECT_FALSE(fit.model_flops || fit.tokens || fit.loss);
}

TEST(Isoflop, ThreeBudgetsCarryLawsAndTwoDoNot) {
  std::vector<LossPoint> points;
  append(points, budget_at(1e17, -0.5));
  append(points, budget_at(1e18, 0));
  EXPECT_FALSE(fit_isoflop(points, tolerance, isoflop_draws).model_flops);
  append(points, budget_at(1e19, 0.5));
  const Isoflop fit = fit_isoflop(points, tolerance, isoflop_draws);
  EXPECT_NEAR(fit.model_flops->exponent.value, 0.5 / std::log(10), 1e-5);
  EXPECT_EQ(fit.loss->irreducible.value, 0);
}

}  // namespace
}  // namespace fathom::scaling
