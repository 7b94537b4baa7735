// Hyper-parameter grids: the near-optimal band, and the laws of learning rate and batch.
#include "scaling/grid_fit.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "scaling/synthetic_runs.h"

namespace fathom::scaling {
namespace {

const BootstrapOptions grid_draws{200, 1};

std::vector<GridRun> grids_of(const synthetic::Study& study) {
  std::vector<GridRun> runs;
  for (const RunResult& run : synthetic::grid_runs(synthetic::DeepSeek{}, study)) {
    runs.push_back({run.model_flops,
                    run.tokens,
                    run.compute,
                    {run.learning_rate, run.batch_tokens, run.loss}});
  }
  return runs;
}

bool holds(const Interval& interval, double truth) {
  return interval.low <= truth && truth <= interval.high;
}

// Runs of one model at powers of two around a best rate and batch.
std::vector<GridRun> one_grid(std::vector<double> rates, std::vector<double> batches) {
  std::vector<GridRun> runs;
  for (const double rate : rates) {
    for (const double batch : batches) {
      const double r = std::log(rate / 2e-3), b = std::log(batch / 65536);
      runs.push_back({1e8, 1e9, 1e17, {rate, batch, 3 * (1 + 0.02 * r * r + 0.01 * b * b)}});
    }
  }
  return runs;
}

// Smaller batches, added to a grid later, end a few steps elsewhere.
TEST(GridFit, RunsOfOneGridDifferALittleInTheirTokens) {
  std::vector<GridRun> runs = one_grid({1e-3, 2e-3, 4e-3}, {32768, 65536, 131072});
  const auto grids_with_last_at = [&](double tokens) {
    runs.back().tokens = tokens;
    return fit_grids(runs, grid_draws).grids;
  };
  for (const double tokens : {0.991e9, 1e9, 1.0099e9}) {
    const std::vector<Grid> grids = grids_with_last_at(tokens);
    ASSERT_EQ(grids.size(), 1u) << tokens;
    EXPECT_EQ(grids[0].points.size(), 9u);
    EXPECT_EQ(grids[0].tokens, std::min(tokens, 1e9));
  }
  for (const double tokens : {0.98e9, 1.011e9}) {  // a run alone is no grid
    const std::vector<Grid> grids = grids_with_last_at(tokens);
    ASSERT_EQ(grids.size(), 1u) << tokens;
    EXPECT_EQ(grids[0].points.size(), 8u);
  }
}

TEST(GridFit, ALaddersRunOfTheSameSizeIsNoPartOfASweepOfOne) {
  std::vector<GridRun> rates = one_grid({1e-3, 2e-3, 4e-3, 8e-3}, {65536});
  std::vector<GridRun> batches = one_grid({2e-3}, {32768, 65536, 131072, 262144});
  const GridRun other{1e8, 1.0002e9, 1e17, {1.7e-3, 49152, 3.01}};
  for (std::vector<GridRun>* sweep : {&rates, &batches}) {
    sweep->push_back(other);
    const std::vector<Grid> grids = fit_grids(*sweep, grid_draws).grids;
    ASSERT_EQ(grids.size(), 1u);
    EXPECT_EQ(grids[0].points.size(), 4u);
    EXPECT_EQ(grids[0].kind, sweep == &rates ? GridKind::learning_rate : GridKind::batch);
  }
}

TEST(GridFit, RecoversTheReportsLaws) {
  synthetic::Study study;
  study.noise = 0;
  const GridFits fits = fit_grids(grids_of(study), grid_draws);
  EXPECT_NEAR(fits.learning_rate->exponent.value, -0.1250, 1e-4);
  EXPECT_NEAR(fits.learning_rate->coefficient.value, 0.3118, 2e-3);
  EXPECT_NEAR(fits.batch_tokens->exponent.value, 0.3271, 1e-4);
  EXPECT_NEAR(fits.batch_tokens->coefficient.value, 0.2920, 2e-3);
}

TEST(GridFit, HoldsThemInItsIntervalsWhenThereIsNoise) {
  synthetic::Study study;
  study.seed = 2;
  const GridFits fits = fit_grids(grids_of(study), grid_draws);
  const synthetic::DeepSeek law;
  EXPECT_TRUE(holds(*fits.learning_rate->exponent.interval, law.rate_exponent));
  EXPECT_TRUE(holds(*fits.batch_tokens->exponent.interval, law.batch_exponent));
  EXPECT_NEAR(fits.noise, study.noise, 0.0005);
  for (const Grid& grid : fits.grids) {
    EXPECT_EQ(grid.problem, "");
    EXPECT_EQ(grid.points.size(), 30u);
    EXPECT_TRUE(holds(*grid.rate_band, law.best_rate(grid.compute)));
    EXPECT_TRUE(holds(*grid.batch_band, law.best_batch(grid.compute)));
  }
}

TEST(GridFit, TheBandIsWhereTheLossIsAQuarterPercentAboveTheLowest) {
  const GridFits fits = fit_grids(
      one_grid({5e-4, 1e-3, 2e-3, 4e-3, 8e-3}, {16384, 32768, 65536, 131072}), grid_draws);
  ASSERT_EQ(fits.grids.size(), 1u);
  const Grid& grid = fits.grids[0];
  EXPECT_EQ(grid.kind, GridKind::both);
  EXPECT_NEAR(grid.learning_rate->value, 2e-3, 1e-6);
  EXPECT_NEAR(grid.batch_tokens->value, 65536, 50);
  EXPECT_NEAR(grid.rate_band->high, 2e-3 * std::exp(std::sqrt(0.0025 / 0.02)), 2e-6);
  EXPECT_NEAR(grid.batch_band->low, 65536 * std::exp(-std::sqrt(0.0025 / 0.01)), 50);
  // Of the runs themselves only the best is within: a factor of two costs more.
  EXPECT_EQ(grid.near_runs, 1);
  EXPECT_EQ(grid.near_rates, (Interval{2e-3, 2e-3}));
  EXPECT_FALSE(fits.learning_rate);
}

// Relative to the lowest loss, in any unit.
TEST(GridFit, NearOptimalRunsAreThoseWithinAQuarterPercent) {
  for (const double unit : {0.01, 1.0, 100.0}) {
    std::vector<GridRun> runs = one_grid({5e-4, 1e-3, 2e-3, 4e-3, 8e-3}, {65536});
    for (GridRun& run : runs) run.point.loss *= unit;
    runs[1].point.loss = 3 * unit * 1.0024;
    runs[3].point.loss = 3 * unit * 1.0026;
    const Grid grid = fit_grids(runs, grid_draws).grids.at(0);
    EXPECT_EQ(grid.near_runs, 2) << unit;
    EXPECT_EQ(grid.near_rates, (Interval{1e-3, 2e-3})) << unit;
  }
}

// Copies of one grid, as for the budgets of an IsoFLOP study: 3 and 15 degrees of freedom.
TEST(GridFit, TheFewerDegreesOfFreedomTheWiderTheOptimumsInterval) {
  const auto width = [](int copies) {
    std::vector<GridRun> runs;
    for (int copy = 0; copy < copies; ++copy) {
      for (GridRun run : one_grid({5e-4, 1e-3, 1.5e-3, 2.7e-3, 4e-3, 8e-3}, {65536})) {
        const std::size_t i = runs.size() % 6;
        run.model_flops *= 1 + copy;
        run.point.loss *= 1 + 0.002 * std::array{1, -1, 1, -1, 1, -1}[i];
        runs.push_back(run);
      }
    }
    const Interval interval = *fit_grids(runs, {2000, 1}).grids.at(0).learning_rate->interval;
    return std::log(interval.high / interval.low);
  };
  EXPECT_NEAR(width(1) / width(5), small_sample_factor(3) / small_sample_factor(15), 0.1);
}

TEST(GridFit, AGridOfRatesAloneSaysNothingOfBatches) {
  const GridFits fits = fit_grids(one_grid({5e-4, 1e-3, 2e-3, 4e-3, 8e-3}, {65536}), grid_draws);
  const Grid& grid = fits.grids.at(0);
  EXPECT_EQ(grid.kind, GridKind::learning_rate);
  EXPECT_NEAR(grid.learning_rate->value, 2e-3, 1e-6);
  EXPECT_FALSE(grid.batch_tokens);
  EXPECT_FALSE(grid.batch_band);
}

TEST(GridFit, RunsFarAboveTheLowestAreNotFitted) {
  std::vector<GridRun> runs = one_grid({5e-4, 1e-3, 2e-3, 4e-3, 8e-3}, {65536});
  runs.push_back({1e8, 1e9, 1e17, {1.6e-2, 65536, 7}});
  EXPECT_NEAR(fit_grids(runs, grid_draws).grids.at(0).learning_rate->value, 2e-3, 1e-6);
}

TEST(GridFit, GridsThatCannotCarryTheLawsAreNamed) {
  const auto problem = [](std::vector<double> rates, std::vector<double> batches) {
    return fit_grids(one_grid(std::move(rates), std::move(batches)), grid_draws)
        .grids.at(0)
        .problem;
  };
  EXPECT_EQ(problem({1e-3, 2e-3, 4e-3}, {65536}),
            "3 runs within 5 % of the lowest loss, and the fit needs 4");
  EXPECT_EQ(problem({1e-3, 1.5e-3, 2e-3, 4e-3}, {32768, 65536}),
            "2 batches within 5 % of the lowest loss, and the fit needs 3");
  EXPECT_EQ(problem({2.2e-3, 2.5e-3, 3e-3, 4e-3}, {65536}),
            "the optimum is beyond the grid's smallest learning rate; add smaller ones");
  EXPECT_EQ(problem({2e-3}, {16384, 24000, 32768, 40000}),
            "the optimum is beyond the grid's largest batch; add larger ones");
}

TEST(GridFit, RunsThatDifferInNeitherMakeNoGrid) {
  std::vector<GridRun> runs = one_grid({2e-3}, {65536});
  runs.push_back(runs[0]);
  EXPECT_TRUE(fit_grids(runs, grid_draws).grids.empty());
}

}  // namespace
}  // namespace fathom::scaling
