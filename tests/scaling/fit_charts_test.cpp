// What the charts of a fit show: runs, fits, bands and optima at their places.
#include "scaling/fit_charts.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "scaling/synthetic_runs.h"

namespace fathom::scaling {
namespace {

FitOptions chart_options() {
  FitOptions options;
  options.bootstrap.draws = 100;
  return options;
}

DatasetFit charted_fit(std::vector<RunResult> runs) {
  return fit_results({std::move(runs), {}}, chart_options()).at(0);
}

Chart chart_of(const DatasetFit& fit, const std::string& name) {
  for (NamedChart& chart : fit_charts(fit)) {
    if (chart.name == name) return chart.chart;
  }
  ADD_FAILURE() << "there is no chart " << name;
  return {};
}

const Series& series_named(const Chart& chart, const std::string& name) {
  const auto found = std::ranges::find(chart.series, name, &Series::name);
  EXPECT_NE(found, chart.series.end()) << name;
  return *found;
}

TEST(FitCharts, TheIsoflopChartHasRunsParabolasOptimaAndTheirLaw) {
  const DatasetFit fit = charted_fit(isoflop_runs(synthetic::Chinchilla{}, {}));
  const Chart chart = chart_of(fit, "isoflop");
  ASSERT_EQ(chart.series.size(), 12u);  // five budgets of runs and parabola
  EXPECT_EQ(chart.x.name + " (" + chart.x.unit + ")", "model scale M (FLOPs a token)");
  EXPECT_EQ(chart.y.unit, "nats per token");
  const Series& runs = series_named(chart, "C = 1e18");
  ASSERT_EQ(runs.x.size(), 8u);
  EXPECT_EQ(runs.x[3], fit.isoflop.budgets[2].points[3].model_flops);
  EXPECT_EQ(runs.y[3], fit.isoflop.budgets[2].points[3].loss);
  const Series& optima = chart.series[10];
  EXPECT_EQ(optima.name, "optimum");
  ASSERT_EQ(optima.x.size(), 5u);
  EXPECT_EQ(optima.x[1], fit.isoflop.budgets[1].model_flops.value);
  EXPECT_EQ(optima.y[1], fit.isoflop.budgets[1].loss.value);
  EXPECT_EQ(optima.high[1], fit.isoflop.budgets[1].loss.interval->high);
  const Series& line = chart.series[11];
  EXPECT_EQ(line.name, "");  // in the optima's colour
  EXPECT_TRUE(std::ranges::is_sorted(line.x));
  EXPECT_NEAR(line.x.front(), fit.isoflop.model_flops->at(fit.isoflop.budgets[0].compute), 1);
  EXPECT_NEAR(line.y.back(), fit.isoflop.loss->at(fit.isoflop.budgets[4].compute), 1e-9);
}

// Whose laws are the other way round: a line of a chart ascends all the same.
TEST(FitCharts, OptimaThatFallWithTheBudgetHaveALineToo) {
  synthetic::DeepSeek law;
  law.model_exponent = -0.2;
  law.model_coefficient = 1e12;
  const DatasetFit fit = charted_fit(isoflop_runs(law, {}));
  const Chart chart = chart_of(fit, "isoflop");
  EXPECT_LT(fit.isoflop.model_flops->exponent.value, 0);
  EXPECT_EQ(series_named(chart, "optimum").x.size(), 5u);
  EXPECT_TRUE(std::ranges::is_sorted(chart.series.back().x));
}

TEST(FitCharts, LawsAreDrawnWithTheirBandsBeyondTheirPoints) {
  const DatasetFit fit = charted_fit(isoflop_runs(synthetic::Chinchilla{}, {}));
  for (const char* name : {"model", "tokens", "loss"}) {
    const Chart chart = chart_of(fit, name);
    ASSERT_EQ(chart.series.size(), 2u) << name;
    const Series& line = chart.series[1];
    EXPECT_NEAR(line.x.front() / fit.isoflop.budgets[0].compute, 1, 1e-9) << name;
    EXPECT_NEAR(line.x.back() / fit.isoflop.budgets[4].compute, 10, 1e-6) << name;
    for (std::size_t i = 0; i < line.x.size(); ++i) {
      EXPECT_LE(line.low[i], line.y[i]) << name;
      EXPECT_GE(line.high[i], line.y[i]) << name;
    }
  }
  EXPECT_NEAR(chart_of(fit, "model").series[1].y[40],
              fit.isoflop.model_flops->at(chart_of(fit, "model").series[1].x[40]), 1);
}

TEST(FitCharts, TheSurfaceChartHasHowFarEachRunIsFromIt) {
  const DatasetFit fit = charted_fit(isoflop_runs(synthetic::Chinchilla{}, {}));
  const Series runs = chart_of(fit, "surface").series.at(0);
  const auto& points = fit.surface->surface.record.points;
  ASSERT_EQ(runs.x.size(), points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto& [m, d, loss] = points[i];
    EXPECT_NEAR(runs.x[i] / (m * d), 1, 1e-12);
    EXPECT_NEAR(runs.y[i], 100 * (loss / fit.surface->surface.at(m, d) - 1), 1e-9);
    EXPECT_LT(std::abs(runs.y[i]), 1);  // the noise is 0.2 %
  }
}

TEST(FitCharts, TheGridChartsHaveAllRunsThatAreNearOptimal) {
  const DatasetFit fit = charted_fit(grid_runs(synthetic::DeepSeek{}, {}));
  for (const char* name : {"learning-rate", "batch"}) {
    const Chart chart = chart_of(fit, name);
    std::size_t near = 0;
    for (const Grid& grid : fit.grids.grids) near += grid.near_runs;
    EXPECT_GT(near, 5u);
    EXPECT_EQ(series_named(chart, "runs within 0.25 % of the lowest").x.size(), near);
    const Series& optima = series_named(chart, "optima, and their bands of 0.25 %");
    ASSERT_EQ(optima.x.size(), 5u);
    const Grid& grid = fit.grids.grids[2];
    const bool rate = name == std::string("learning-rate");
    EXPECT_EQ(optima.y[2], (rate ? grid.learning_rate : grid.batch_tokens)->value);
    EXPECT_EQ(optima.low[2], (rate ? grid.rate_band : grid.batch_band)->low);
    EXPECT_EQ(chart.series.back().name.find(" C^") == std::string::npos, false);
  }
}

}  // namespace
}  // namespace fathom::scaling
