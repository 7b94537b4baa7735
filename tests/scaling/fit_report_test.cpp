// What is told of a fit whose figures all differ: each in its column and under its key.
#include "scaling/fit_report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "scaling/compare_data.h"
#include "scaling/fit_files.h"

namespace fathom::scaling {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Parameter figure(double value) {
  return {value, Interval{value / 2, value * 2}};
}

Budget reported_budget() {
  Budget budget;
  budget.compute = 1e17;
  budget.points.resize(7);
  budget.model_flops = figure(2e8);
  budget.tokens = figure(5e8);
  budget.loss = figure(3);
  return budget;
}

Grid reported_grid() {
  Grid grid;
  grid.model_flops = 4e8;
  grid.tokens = 6e8;
  grid.compute = 24e16;
  grid.points.resize(9);
  grid.near_rates = {0.001, 0.002};
  grid.near_batches = {3000, 4000};
  grid.near_runs = 3;
  grid.learning_rate = figure(0.0015);
  grid.batch_tokens = figure(3500);
  grid.rate_band = Interval{0.0012, 0.0018};
  grid.batch_band = Interval{3200, 3900};
  return grid;
}

LossSurface reported_surface() {
  LossSurface surface;
  surface.irreducible = figure(1.5);
  surface.model_coefficient = figure(400);
  surface.model_exponent = {0.3, {}};
  surface.data_coefficient = figure(500);
  surface.data_exponent = {0.2, {}};
  surface.record.draws = {{1, 1, 0.3, 1, 0.1}, {1, 1, 0.3, 1, 0.1}};
  return surface;
}

DatasetFit reported_fit() {
  DatasetFit fit;
  fit.dataset = "wiki";
  fit.runs = 50;
  fit.fitted_runs = 48;
  fit.warnings = {"a warning"};
  fit.isoflop.budgets = {reported_budget(), reported_budget()};
  fit.isoflop.budgets[1].compute = 3e17;
  fit.isoflop.budgets[1].problem = "too few";
  fit.isoflop.noise = 0.002;
  fit.isoflop.model_flops = PowerLaw{{0.25, Interval{0.2, 0.3}}, {0.5, Interval{0.4, 0.6}}, {}};
  fit.isoflop.loss =
      LossCurve{{1.25, {}}, {20, Interval{10, 30}}, {-0.125, Interval{-0.2, -0.1}}, {}};
  fit.grids.grids = {reported_grid(), reported_grid()};
  fit.grids.grids[1].rate_band.reset();
  fit.grids.grids[1].batch_band.reset();
  fit.grids.grids[1].batch_tokens.reset();
  fit.grids.grids[1].problem = "no batches";
  fit.surface = SurfaceFit{reported_surface(), 0.003};
  return fit;
}

std::vector<std::vector<std::string>> rows_of(const DatasetFit& fit, const std::string& title) {
  for (const auto& [name, table] : fit_tables(fit)) {
    if (name == title) return table.rows;
  }
  return {};
}

TEST(FitReport, TablesHaveEachFigureInItsColumn) {
  const DatasetFit fit = reported_fit();
  EXPECT_THAT(rows_of(fit, "Budgets"),
              ElementsAre(ElementsAre("1e17", "7", "2e8 (1e8 to 4e8)", "5e8 (2.5e8 to 1e9)",
                                      "3 (1.5 to 6)", "yes"),
                          ElementsAre("3e17", "7", "", "", "", "no: too few")));
  EXPECT_THAT(
      rows_of(fit, "Grids"),
      ElementsAre(ElementsAre("4e8", "6e8", "2.4e17", "9", "0.0012 to 0.0018", "3.2e3 to 3.9e3",
                              "0.0015 (0.00075 to 0.003)", "3.5e3 (1.75e3 to 7e3)", "yes"),
                  ElementsAre("4e8", "6e8", "2.4e17", "9", "0.001 to 0.002", "3e3 to 4e3",
                              "0.0015 (0.00075 to 0.003)", "", "no: no batches")));
  EXPECT_THAT(
      rows_of(fit, "Laws"),
      ElementsAre(
          ElementsAre("M_opt, FLOPs a token", "0.25 C^0.5000", "0.2 to 0.3", "0.4 to 0.6"),
          ElementsAre("L at the optimum", "1.25 + 20 C^-0.1250", "10 to 30", "-0.2 to -0.1")));
  EXPECT_THAT(rows_of(fit, "Surface"),
              ElementsAre(ElementsAre("E", "1.5", "0.75 to 3"),
                          ElementsAre("A", "400", "200 to 800"), ElementsAre("a", "0.3", ""),
                          ElementsAre("B", "500", "250 to 1000"), ElementsAre("b", "0.2", ""),
                          ElementsAre("exponent of M_opt, b / (a + b)", "0.4", "0.25 to 0.25")));
  EXPECT_TRUE(fit_tables(DatasetFit{}).empty()) << "what is empty is left out";
  const std::string text = to_text(std::vector{fit});
  EXPECT_THAT(text, testing::StartsWith("wiki: 48 of 50 runs, loss in nats per token\n\n"
                                        "budget C  runs  M_opt (95 %)      D_opt (95 %)        "
                                        "lowest loss (95 %)  used\n"
                                        "1e17      7     2e8 (1e8 to 4e8)  5e8 (2.5e8 to 1e9)  "
                                        "3 (1.5 to 6)        yes\n"
                                        "3e17      7                                           "
                                        "                    no: too few\n"));
}

TEST(FitReport, JsonHasEachFigureUnderItsKey) {
  const auto json = to_json(std::vector{reported_fit()}).at("datasets").at(0);
  EXPECT_EQ(json.at("dataset"), "wiki");
  EXPECT_EQ(json.at("runs"), 50);
  EXPECT_EQ(json.at("fitted_runs"), 48);
  EXPECT_EQ(json.at("loss_unit"), "nats per token");
  EXPECT_EQ(
      json.at("budgets").at(0).dump(),
      R"({"compute":1e+17,"runs":7,"model_flops":{"value":200000000.0,"interval":)"
      R"([100000000.0,400000000.0]},"tokens":{"value":500000000.0,"interval":)"
      R"([250000000.0,1000000000.0]},"loss":{"value":3.0,"interval":[1.5,6.0]},"used":true})");
  EXPECT_EQ(json.at("budgets").at(1).dump(),
            R"({"compute":3e+17,"runs":7,"used":false,"problem":"too few"})");
  EXPECT_EQ(json.at("grids").at(0).dump(),
            R"({"model_flops":400000000.0,"tokens":600000000.0,"compute":2.4e+17,"runs":9,)"
            R"("near_optimal_runs":3,"near_optimal_learning_rates":[0.001,0.002],)"
            R"("near_optimal_batches":[3000.0,4000.0],"learning_rate":{"value":0.0015,"interval":)"
            R"([0.00075,0.003]},"batch_tokens":{"value":3500.0,"interval":[1750.0,7000.0]},)"
            R"("learning_rate_band":[0.0012,0.0018],"batch_band":[3200.0,3900.0],"used":true})");
  EXPECT_EQ(json.at("grids").at(1).at("problem"), "no batches");
  EXPECT_FALSE(json.at("grids").at(1).contains("batch_band"));
  EXPECT_EQ(json.at("laws").at("model_flops").at("exponent"), 0.5);
  EXPECT_EQ(json.at("laws").at("loss").at("irreducible"), 1.25);
  EXPECT_FALSE(json.at("laws").contains("learning_rate"));
  EXPECT_EQ(json.at("surface_model_exponent").dump(), R"({"value":0.4,"interval":[0.25,0.25]})");
  EXPECT_EQ(json.at("surface_noise"), 0.003);
  EXPECT_EQ(json.at("isoflop_noise"), 0.002);
  EXPECT_EQ(json.at("warnings").dump(), R"(["a warning"])");
}

TEST(FitReport, APredictionHasEachFigure) {
  Prediction p{2e8, 4e9, figure(2.5), Parameter{2.625, {}}, "bits per byte", "mine.json", 12.5, {}};
  EXPECT_EQ(to_text(p),
            "M       2e8 FLOPs a token\nD       4e9 tokens\nC       8e17 FLOPs\n"
            "loss    2.5 (1.25 to 5) bits per byte by the curve of the best runs (95 % interval of "
            "the law)\n"
            "loss    2.625 bits per byte by the surface of all runs\n"
            "reach   12.5 times the largest fitted run\n"
            "laws    mine.json\n");
  EXPECT_EQ(to_json(p).dump(),
            R"({"model_flops":200000000.0,"tokens":4000000000.0,"compute":8e+17,"loss_unit":)"
            R"("bits per byte","laws":"mine.json","loss_by_curve":{"value":2.5,"interval":)"
            R"([1.25,5.0]},"loss_by_surface":{"value":2.625},"times_largest_fitted_run":12.5})");
  p.by_curve.reset();
  p.beyond.reset();
  EXPECT_THAT(to_text(p), Not(HasSubstr("curve")));
  EXPECT_THAT(to_text(p), Not(HasSubstr("reach")));
  EXPECT_FALSE(to_json(p).contains("loss_by_curve"));
  EXPECT_FALSE(to_json(p).contains("times_largest_fitted_run"));
}

// A data set with an exponent and draws of it.
DatasetFit fit_named(const std::string& name, double exponent, std::vector<double> draws = {}) {
  DatasetFit fit;
  fit.dataset = name;
  fit.isoflop.model_flops = PowerLaw{{1, {}}, {exponent, {}}, {}};
  for (const double draw : draws) fit.isoflop.model_flops->record.draws.push_back({1, draw});
  return fit;
}

TEST(CompareData, PairsAreOrderedByTheirExponents) {
  std::vector<DatasetFit> fits{fit_named("low", 0.25, {0.25, 0.25}),
                               fit_named("high", 0.75, {0.75, 0.75, 0.1}), DatasetFit{},
                               fit_named("middle", 0.5, {0.875, 0.5})};
  const std::vector<DataComparison> pairs = compare_data(fits);
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].larger + " " + pairs[0].smaller, "high middle");
  EXPECT_EQ(pairs[1].larger + " " + pairs[1].smaller, "high low");
  EXPECT_EQ(pairs[2].larger + " " + pairs[2].smaller, "middle low");
  EXPECT_EQ(pairs[1].difference, 0.5);
  EXPECT_EQ(pairs[1].interval, (Interval{0.5, 0.5})) << "of as many draws as both have";
  EXPECT_TRUE(pairs[1].certain());
  EXPECT_FALSE(pairs[0].certain());
  EXPECT_EQ(finding(pairs[1]),
            "high deserves the bigger model: its exponent of M_opt is larger than low's by 0.500 "
            "(0.500 to 0.500). Where everything else is equal, this is the mark of better data.");
  EXPECT_EQ(finding(pairs[0]),
            "The runs cannot tell which of high and middle deserves the bigger model: their "
            "exponents of M_opt differ by 0.250 (-0.116 to 0.241).");
  EXPECT_FALSE((DataComparison{"a", "b", 0.1, {0, 1}}.certain())) << "0 is no difference";
  fits.resize(1);
  EXPECT_TRUE(compare_data(fits).empty());
  const auto json =
      to_json(std::vector{fit_named("low", 0.25, {0.25}), fit_named("high", 0.5, {0.5})});
  EXPECT_EQ(json.at("comparisons").dump(),
            R"([{"larger":"high","smaller":"low","difference":0.25,"interval":[0.25,0.25],)"
            R"("certain":true}])");
}

TEST(FitFiles, AreNamedAfterTheirDataSets) {
  std::vector<DatasetFit> fits{fit_named("a.b-c_1", 1)};
  EXPECT_THAT(file_suffixes(fits), ElementsAre(""));
  fits.push_back(fit_named("x y/é", 1));
  EXPECT_THAT(file_suffixes(fits), ElementsAre("-a.b-c_1", "-x_y___"));
  fits.push_back(fit_named("", 1));
  EXPECT_THAT(file_suffixes(fits), ElementsAre("-a.b-c_1", "-x_y___", "-"));
}

}  // namespace
}  // namespace fathom::scaling
