// The loss surface through all runs.
#include "scaling/surface_fit.h"

#include <gmock/gmock.h>

#include "scaling/synthetic_runs.h"

namespace fathom::scaling {
namespace {

using Runs = std::vector<std::array<double, 3>>;

Runs runs_of(const synthetic::Study& study) {
  Runs runs;
  for (const RunResult& run : isoflop_runs(synthetic::Chinchilla{}, study)) {
    runs.push_back({run.model_flops, run.tokens, run.loss});
  }
  return runs;
}

bool holds(const Parameter& parameter, double truth) {
  return parameter.interval->low <= truth && truth <= parameter.interval->high;
}

TEST(SurfaceFit, FindsThePublishedChinchillaCoefficients) {
  const synthetic::Chinchilla truth;
  synthetic::Study study;
  study.noise = 0;
  const LossSurface s = fit_loss_surface(runs_of(study), {100, 1}).surface;
  EXPECT_NEAR(s.irreducible.value, 1.69, 1e-3);
  EXPECT_NEAR(s.model_exponent.value, 0.34, 1e-3);
  EXPECT_NEAR(s.data_exponent.value, 0.28, 1e-3);
  EXPECT_NEAR(s.model_coefficient.value / std::pow(6, s.model_exponent.value), 406.4, 4);
  EXPECT_NEAR(s.data_coefficient.value, 410.7, 4);
  EXPECT_NEAR(s.at(5e10, 1e12), truth.loss(5e10, 1e12), 1e-3);
}

// Twelve runs have seven degrees of freedom: intervals that forget the parameters, or take the runs
// that the fit leads through for runs without noise, are too narrow by far.
TEST(SurfaceFit, IntervalsOfFewRunsHoldTheTruthAsOftenAsTheySay) {
  const synthetic::Chinchilla truth;
  int held = 0;
  constexpr int studies = 40;
  for (std::uint64_t seed = 1; seed <= studies; ++seed) {
    const synthetic::Normal normal{{seed, 7}};
    Runs runs;
    for (const double m : {1e7, 1e8, 1e9}) {
      for (const double d : {1e8, 1e9, 1e10, 1e11}) {
        runs.push_back({m, d, truth.loss(m, d) * std::exp(0.002 * normal(runs.size()))});
      }
    }
    const LossSurface s = fit_loss_surface(runs, {100, seed}).surface;
    held += holds(s.model_exponent, truth.alpha) + holds(s.data_exponent, truth.beta);
  }
  EXPECT_GE(held, 0.92 * 2 * studies);
  EXPECT_LT(held, 2 * studies);  // nor are they wider than any truth
}

TEST(SurfaceFit, HoldsThemInItsIntervalsWhenThereIsNoise) {
  synthetic::Study study;
  study.seed = 4;
  const SurfaceFit fit = fit_loss_surface(runs_of(study), {200, 1});
  EXPECT_TRUE(holds(fit.surface.irreducible, 1.69));
  EXPECT_TRUE(holds(fit.surface.model_exponent, 0.34));
  EXPECT_TRUE(holds(fit.surface.data_exponent, 0.28));
  EXPECT_NEAR(fit.noise, study.noise, 0.001);
  EXPECT_EQ(fit.surface.record.draws.size(), 200u);
  EXPECT_EQ(fit.surface.record.points.size(), 40u);
}

TEST(SurfaceFit, OneBadRunHardlyMovesIt) {
  synthetic::Study study;
  study.noise = 1e-4;
  Runs runs = runs_of(study);
  runs[11][2] *= 1.3;
  const LossSurface s = fit_loss_surface(runs, {100, 1}).surface;
  EXPECT_NEAR(s.model_exponent.value, 0.34, 0.01);
  EXPECT_NEAR(s.data_exponent.value, 0.28, 0.01);
}

TEST(SurfaceFit, SaysWhatTheRunsLack) {
  EXPECT_EQ(surface_problem(Runs(7, {1, 1, 1})), "7 runs, and its five parameters need 8");
  Runs runs;
  for (int i = 0; i < 10; ++i) runs.push_back({1.0 + i % 2, 1.0 + i, 3});
  EXPECT_EQ(surface_problem(runs), "2 model sizes and 10 token counts, and it needs 3 of each");
  runs[0][0] = 3;
  EXPECT_EQ(surface_problem(runs), "");
}

}  // namespace
}  // namespace fathom::scaling
