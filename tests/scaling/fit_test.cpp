// A whole study: which runs count, what is warned of and refused, and data sets side by side.
#include "scaling/fit.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "io/temp_dir.h"
#include "report/png.h"
#include "scaling/compare_data.h"
#include "scaling/fit_files.h"
#include "scaling/fit_report.h"
#include "scaling/laws_file.h"
#include "scaling/predict.h"
#include "scaling/synthetic_runs.h"

namespace fathom::scaling {
namespace {

using test::input_error_of;
using test::read_file;
using test::TempDir;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

FitOptions quick() {
  FitOptions options;
  options.bootstrap.draws = 100;
  return options;
}

std::vector<RunResult> study_runs(std::uint64_t seed = 1) {
  synthetic::Study study;
  study.seed = seed;
  return isoflop_runs(synthetic::Chinchilla{}, study);
}

DatasetFit fit_of(std::vector<RunResult> runs, const FitOptions& options = quick()) {
  return fit_results({std::move(runs), {}}, options).at(0);
}

TEST(Fit, AStudyGivesItsLaws) {
  const DatasetFit fit = fit_of(study_runs());
  EXPECT_THAT(fit.warnings, IsEmpty());
  EXPECT_EQ(fit.fitted_runs, 40u);
  const Laws laws = fit.laws();
  EXPECT_EQ(laws.loss_unit, "nats per token");
  EXPECT_NEAR(laws.model_flops.value().exponent.value, 0.28 / 0.62, 0.03);
  EXPECT_NEAR(laws.tokens.value().exponent.value, 0.34 / 0.62, 0.03);
  EXPECT_NEAR(laws.loss_surface.value().irreducible.value, 1.69, 0.1);
  const synthetic::Chinchilla truth;
  const double m = truth.best_model(1e18);
  EXPECT_NEAR(laws.loss.value().at(1e18), truth.loss(m, 1e18 / m), 0.02);
  EXPECT_FALSE(laws.learning_rate);
}

TEST(Fit, GridsGiveTheLawsOfLearningRateAndBatch) {
  synthetic::Study study;
  study.noise = 0;
  const synthetic::DeepSeek truth;
  std::vector<RunResult> runs = grid_runs(truth, study);
  RunResult unknown = runs[0];  // is in no grid
  unknown.name = "unknown";
  unknown.batch_tokens = NAN;
  runs.push_back(unknown);
  const DatasetFit fit = fit_of(runs);
  ASSERT_EQ(fit.grids.grids.size(), 5u);
  EXPECT_EQ(fit.grids.grids[0].points.size(), 30u);
  const Laws laws = fit.laws();
  EXPECT_NEAR(laws.learning_rate.value().exponent.value, truth.rate_exponent, 1e-3);
  EXPECT_NEAR(laws.learning_rate->at(1e18), truth.best_rate(1e18), 0.01 * truth.best_rate(1e18));
  EXPECT_NEAR(laws.batch_tokens.value().exponent.value, truth.batch_exponent, 1e-3);
  EXPECT_NEAR(laws.batch_tokens->at(1e18), truth.best_batch(1e18), 0.01 * truth.best_batch(1e18));
  EXPECT_FALSE(laws.model_flops) << "of one model a budget";
}

TEST(Fit, DivergedRunsAreLeftOutAndNamed) {
  std::vector<RunResult> runs = study_runs();
  runs[3].loss = NAN;
  const DatasetFit fit = fit_of(runs);
  EXPECT_EQ(fit.fitted_runs, 39u);
  EXPECT_THAT(fit.warnings, ElementsAre("1 of 40 runs diverged and are left out: run3"));
}

TEST(Fit, RunsThatRepeatTheirDataTooOftenAreLeftOut) {
  std::vector<RunResult> runs = study_runs();
  for (RunResult& run : runs) run.unique_tokens = run.tokens / 4;
  EXPECT_THAT(fit_of(runs).warnings, IsEmpty());
  for (const std::size_t i : {1, 4, 5, 9, 17}) runs[i].unique_tokens *= 0.99;
  EXPECT_THAT(fit_of(runs).warnings, ElementsAre(EndsWith(": run1, run4, run5, run9, run17")));
  for (const std::size_t i : {22, 30}) runs[i].unique_tokens *= 0.99;
  const DatasetFit fit = fit_of(runs);
  EXPECT_EQ(fit.fitted_runs, 33u);
  EXPECT_THAT(fit.warnings,
              ElementsAre("7 of 40 runs read their data more than 4 times and are left out, for "
                          "repeated tokens teach less: run1, run4, run5, run9, run17 and 2 more"));
}

TEST(Fit, RunsWithFewerFlopsThanAskedForAreLeftOut) {
  const std::vector<RunResult> runs = study_runs();
  FitOptions options = quick();
  const double second = runs[8].compute;
  // The second budget's runs stay, also such as miss it by a little.
  for (const double least : {second, 1.04 * second}) {
    options.least_compute = least;
    const DatasetFit fit = fit_of(runs, options);
    EXPECT_EQ(fit.fitted_runs, 32u);
    EXPECT_EQ(fit.isoflop.budgets.size(), 4u);
    EXPECT_THAT(fit.warnings, Contains(HasSubstr("8 of 40 runs have less than 3")));
  }
  options.least_compute = 1.06 * second;
  EXPECT_EQ(fit_of(runs, options).fitted_runs, 24u);
}

// Losses that are off their law by turns.
std::vector<RunResult> scattered_runs(double share) {
  std::vector<RunResult> runs = study_runs();
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].loss *= 1 + (i % 3 == 0 ? share : -share);
  return runs;
}

TEST(Fit, LossesThatScatterAreWarnedOf) {
  EXPECT_THAT(fit_of(scattered_runs(0.004)).warnings, Not(Contains(HasSubstr("scatter"))));
  EXPECT_THAT(fit_of(scattered_runs(0.03)).warnings,
              Contains(AllOf(HasSubstr("losses scatter by"), HasSubstr("--least-compute"))));
}

// Their draws have lines as steep as one likes.
TEST(Fit, LawsOfWildLossesAreNumbersAllTheSame) {
  const TempDir dir;
  std::vector<RunResult> runs = scattered_runs(0.1);
  std::erase_if(runs, [](const RunResult& run) { return run.compute > 2e18; });
  const std::vector<DatasetFit> fits = fit_results({runs, {}}, FitOptions{});
  write_fit(dir / "fit", fits, Pictures::svg);
  EXPECT_TRUE(load_laws(dir / "fit/laws.json").loss_surface);
}

TEST(Fit, OfAGridTheBestSettingCounts) {
  std::vector<RunResult> runs = study_runs();
  const double before = fit_of(runs).isoflop.budgets[2].loss.value;
  for (RunResult& run : runs) {
    run.learning_rate = 1e-3;
    run.batch_tokens = 65536;
  }
  RunResult worse = runs[20];
  worse.name = "worse";
  worse.learning_rate = 1e-2;
  worse.loss *= 1.04;
  runs.push_back(worse);
  const DatasetFit fit = fit_of(runs);
  EXPECT_EQ(fit.isoflop.budgets[2].loss.value, before);
  EXPECT_EQ(fit.isoflop.budgets[2].points.size(), 8u);
  // Another seed of the best setting is a run of its own.
  RunResult again = runs[20];
  again.name = "again";
  again.seed = 2;
  runs.push_back(again);
  EXPECT_EQ(fit_of(runs).isoflop.budgets[2].points.size(), 9u);
}

TEST(Fit, TheSurfaceGivesASecondOpinionOnTheExponent) {
  const std::vector<DatasetFit> fits = fit_results({study_runs(), {}}, quick());
  const auto exponent = to_json(fits).at("datasets").at(0).at("surface_model_exponent");
  const double truth = synthetic::Chinchilla{}.model_exponent();
  EXPECT_NEAR(exponent.at("value"), truth, 0.01);
  EXPECT_LE(exponent.at("interval").at(0), truth);
  EXPECT_GE(exponent.at("interval").at(1), truth);
}

// Far beyond the grid a parabola says nothing.
TEST(Fit, ABudgetThatIsNotUsedHasNoFigures) {
  std::vector<RunResult> runs = study_runs();
  for (std::size_t i = 0; i < 8; ++i) runs[i].loss = 3 + 0.1 * double(i);
  const std::vector<DatasetFit> fits = fit_results({runs, {}}, quick());
  const auto budget = to_json(fits).at("datasets").at(0).at("budgets").at(0);
  EXPECT_EQ(budget.at("used"), false);
  EXPECT_FALSE(budget.contains("model_flops"));
  EXPECT_THAT(to_text(fits), Not(HasSubstr("nan")));
}

TEST(Fit, BitsPerByteAreFittedWhenAskedFor) {
  std::vector<RunResult> runs = study_runs();
  for (RunResult& run : runs) run.bits_per_byte = run.loss / 3;
  FitOptions options = quick();
  options.unit = LossUnit::bits_per_byte;
  const DatasetFit fit = fit_of(runs, options);
  EXPECT_EQ(fit.laws().loss_unit, "bits per byte");
  EXPECT_NEAR(fit.laws().loss_surface->irreducible.value, 1.69 / 3, 0.04);
  runs[5].bits_per_byte = NAN;
  EXPECT_EQ(input_error_of([&] { fit_of(runs, options); }),
            "run 'run5' has no bits_per_byte; fit the loss in nats per token, or measure them");
}

TEST(Fit, WarnsOfWhatTheBudgetsDoNotCarry) {
  std::vector<RunResult> runs = study_runs();
  std::erase_if(runs, [](const RunResult& run) { return run.compute > 2e18; });
  EXPECT_THAT(fit_of(runs).warnings,
              ElementsAre("usable budgets: 3; L(C) has no irreducible loss, for which it needs 5"));
  std::erase_if(runs, [](const RunResult& run) { return run.compute > 5e17; });
  EXPECT_THAT(fit_of(runs).warnings,
              ElementsAre("usable budgets: 2, and the laws of the allocation need 3"));
}

TEST(Fit, WarnsOfABudgetWhoseBestRunIsAtTheEdge) {
  for (const std::size_t edge : {8, 15}) {
    std::vector<RunResult> runs = study_runs();
    runs[edge].loss = 0.99 * std::min(runs[11].loss, runs[12].loss);
    EXPECT_THAT(fit_of(runs).warnings, Contains(HasSubstr("budget 3e17: its best run is at the "
                                                          "grid's edge")));
  }
}

TEST(Fit, RefusesResultsThatCarryNoLaw) {
  std::vector<RunResult> runs = study_runs();
  runs.resize(6);
  EXPECT_THAT(input_error_of([&] { fit_of(runs); }),
              AllOf(HasSubstr("the results carry no law: usable budgets: 1, and the laws of the "
                              "allocation need 3; no loss surface: 6 runs")));
}

TEST(Fit, DataSetsAreComparedByTheirExponents) {
  // The report's early and current data.
  std::vector<RunResult> runs;
  for (const auto& [name, exponent, coefficient] :
       {std::tuple{"early", 0.45, 3.0}, {"current", 0.524, 0.17}, {"as current", 0.526, 0.16}}) {
    synthetic::DeepSeek law;
    law.model_exponent = exponent;
    law.model_coefficient = coefficient;
    for (RunResult& run : isoflop_runs(law, {})) {
      run.dataset = name;
      runs.push_back(run);
    }
  }
  const std::vector<DatasetFit> fits = fit_results({runs, {}}, quick());
  const std::vector<DataComparison> pairs = compare_data(fits);
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].larger, "as current");
  EXPECT_EQ(pairs[0].smaller, "current");
  EXPECT_FALSE(pairs[0].certain());
  EXPECT_THAT(finding(pairs[0]), HasSubstr("cannot tell which of as current and current"));
  EXPECT_EQ(pairs[2].larger, "current");
  EXPECT_EQ(pairs[2].smaller, "early");
  EXPECT_NEAR(pairs[2].difference, 0.074, 0.02);
  EXPECT_TRUE(pairs[2].certain());
  EXPECT_THAT(finding(pairs[2]), HasSubstr("current deserves the bigger model"));
  const TempDir dir;
  write_fit(dir.path(), fits);
  EXPECT_EQ(load_laws(dir / "laws-as_current.json").data, "as current");
  EXPECT_THAT(read_file(dir / "report.html"), HasSubstr("current deserves the bigger model"));
  EXPECT_TRUE(std::filesystem::exists(dir / "comparison.svg"));
  EXPECT_TRUE(std::filesystem::exists(dir / "isoflop-early.svg"));
  write_fit(dir / "two", std::span(fits).first(2));
  EXPECT_TRUE(std::filesystem::exists(dir / "two/comparison.svg"));
  write_fit(dir / "one", std::span(fits).first(1));
  EXPECT_FALSE(std::filesystem::exists(dir / "one/comparison.svg"));
}

TEST(Fit, DataSetsWithOneFileNameAreRefused) {
  std::vector<RunResult> runs = study_runs();
  for (RunResult& run : runs) run.dataset = "a/b";
  std::vector<RunResult> more = runs;
  for (RunResult& run : more) run.dataset = "a_b";
  runs.insert(runs.end(), more.begin(), more.end());
  const std::vector<DatasetFit> fits = fit_results({runs, {}}, quick());
  EXPECT_EQ(input_error_of([&] { file_suffixes(fits); }),
            "data sets 'a/b' and 'a_b' would share files named 'a_b'; rename one");
}

TEST(Fit, WritesLawsReportAndPictures) {
  const TempDir dir;
  const std::vector<DatasetFit> fits = fit_results({study_runs(), {}}, quick());
  const std::vector<std::string> paths = write_fit(dir / "out", fits);
  EXPECT_THAT(paths,
              ElementsAre(dir / "out/laws.json", dir / "out/report.html", dir / "out/isoflop.svg",
                          dir / "out/model.svg", dir / "out/tokens.svg", dir / "out/loss.svg",
                          dir / "out/surface.svg"));
  Laws laws = fits[0].laws();
  laws.source = dir / "out/laws.json";
  EXPECT_EQ(load_laws(dir / "out/laws.json"), laws);
  EXPECT_THAT(read_file(dir / "out/isoflop.svg"),
              AllOf(HasSubstr("model scale M (FLOPs a token)"), HasSubstr("loss (nats per token)"),
                    HasSubstr(">C = 1e17<"), HasSubstr(">optimum<")));
  const std::string page = read_file(dir / "out/report.html");
  EXPECT_THAT(page, AllOf(HasSubstr("Loss over model scale, by budget"), HasSubstr("M_opt")));
  if (can_write_png()) {
    EXPECT_THAT(write_fit(dir / "pixels", fits, Pictures::svg_and_png),
                AllOf(Contains(dir / "pixels/isoflop.svg"), Contains(dir / "pixels/isoflop.png")));
    EXPECT_EQ(read_file(dir / "pixels/loss.png").substr(1, 3), "PNG");
  }
  test::write_file(dir / "file", "");
  EXPECT_THAT(input_error_of([&] { write_fit(dir / "file", fits); }),
              HasSubstr("file: cannot be made a directory"));
}

TEST(Fit, TablesAndJsonSayTheSame) {
  const std::vector<DatasetFit> fits = fit_results({study_runs(), {}}, quick());
  const std::string text = to_text(fits);
  const auto json = to_json(fits);
  const auto& one = json.at("datasets").at(0);
  EXPECT_EQ(one.at("budgets").size(), 5u);
  const double exponent = one.at("laws").at("model_flops").at("exponent");
  EXPECT_THAT(text, HasSubstr(fmt::format("C^{:.4f}", exponent)));
  EXPECT_THAT(text, AllOf(HasSubstr("40 of 40 runs, loss in nats per token"), HasSubstr("1e17"),
                          HasSubstr("exponent of M_opt, b / (a + b)")));
  EXPECT_EQ(one.at("laws").count("draws"), 0u);
  EXPECT_THAT(one.at("warnings"), IsEmpty());
}

TEST(Predict, TheLossOfALargerRunIsHeldByTheInterval) {
  const Laws laws = fit_of(study_runs()).laws();
  const synthetic::Chinchilla truth;
  const double m = truth.best_model(5e19), d = 5e19 / m;
  const Prediction p = predict_loss(laws, m, d);
  for (const Parameter& loss : {p.by_surface.value(), p.by_curve.value()}) {
    EXPECT_NEAR(loss.value, truth.loss(m, d), 0.015 * truth.loss(m, d));
    EXPECT_LE(loss.interval->low, truth.loss(m, d));
    EXPECT_GE(loss.interval->high, truth.loss(m, d));
  }
  EXPECT_NEAR(p.beyond.value(), 5, 1e-6);
  EXPECT_THAT(to_text(p), AllOf(HasSubstr("C       5e19 FLOPs"),
                                HasSubstr("nats per token by the curve of the best runs"),
                                HasSubstr("nats per token by the surface of all runs"),
                                HasSubstr("reach   5 times the largest fitted run")));
  EXPECT_EQ(to_json(p).at("loss_by_surface").at("value"), p.by_surface->value);
  EXPECT_EQ(to_json(p).at("loss_by_curve").at("value"), p.by_curve->value);
}

TEST(Predict, WarnsOfWhatLiesFarBeyondTheRuns) {
  Laws laws = fit_of(study_runs()).laws();  // budgets up to 1e19
  EXPECT_THAT(predict_best_loss(laws, 30e19).warnings, IsEmpty());
  EXPECT_THAT(predict_best_loss(laws, 31e19).warnings,
              ElementsAre(HasSubstr("31 times that of the largest run")));
  std::vector<std::array<double, 2>>& budgets = laws.loss->record.points;
  ASSERT_EQ(budgets.size(), 5u);
  budgets.erase(budgets.begin());  // four, up to 1e19
  EXPECT_THAT(predict_best_loss(laws, 1e19).warnings, IsEmpty());
  for (const Prediction& p : {predict_best_loss(laws, 5e19), predict_loss(laws, 1e9, 5e10)}) {
    EXPECT_THAT(p.warnings, ElementsAre(AllOf(HasSubstr("the curve has 4 budgets"),
                                              HasSubstr("fewer than 5 no irreducible loss"))));
  }
  EXPECT_THAT(predict_best_loss(laws, 31e19).warnings,
              ElementsAre(HasSubstr("31 times"), HasSubstr("4 budgets")));
  // A run of the surface that is as large does not make the curve's budgets more.
  laws.loss_surface->record.points.push_back({1e9, 5e10, 2});
  EXPECT_THAT(predict_best_loss(laws, 5e19).warnings, ElementsAre(HasSubstr("4 budgets")));
  laws.loss.reset();
  EXPECT_THAT(predict_loss(laws, 1e9, 5e10).warnings, IsEmpty());
}

// A curve and a surface that agree at each budget's best run, with round numbers: with a = b and
// A = B, M and D are best when they are equal.
Laws agreeing_laws() {
  Laws laws = deepseek_laws();
  LossSurface& surface = laws.loss_surface.emplace();
  surface.irreducible.value = 1;
  surface.model_coefficient.value = surface.data_coefficient.value = 1000;
  surface.model_exponent.value = surface.data_exponent.value = 0.5;
  laws.loss = LossCurve{{1, {}}, {2000, {}}, {-0.25, {}}, {}};
  laws.model_flops->coefficient.value = 1;
  laws.model_flops->exponent.value = 0.5;
  return laws;
}

TEST(Predict, TheCurveAddsWhatTheSurfaceSaysAnAllocationLoses) {
  Laws laws = agreeing_laws();
  // 1 + 1000 / 1e3 + 1000 / 1e5, against 1 + 2000 / 1e4 at the best.
  EXPECT_NEAR(predict_loss(laws, 1e6, 1e10).by_surface->value, 2.01, 1e-9);
  EXPECT_NEAR(predict_loss(laws, 1e6, 1e10).by_curve->value, 2.01, 1e-9);
  laws.loss->irreducible.value = 0.9;
  laws.loss->record.draws = {{0.8, 2000, -0.25}, {1.0, 2000, -0.25}};
  const Prediction p = predict_loss(laws, 1e6, 1e10);
  EXPECT_NEAR(p.by_curve->value, 1.91, 1e-9);
  EXPECT_NEAR(p.by_curve->interval->low, 1.815, 1e-9);
  EXPECT_NEAR(p.by_curve->interval->high, 2.005, 1e-9);
  EXPECT_NEAR(p.by_surface->value, 2.01, 1e-9);
  laws.loss.reset();
  EXPECT_FALSE(predict_loss(laws, 1e6, 1e10).by_curve);
  // Where the exponents differ, the best M is (aA / bB · C^b)^(1 / (a + b)): (3 · C^0.5)^0.5.
  laws = agreeing_laws();
  laws.loss_surface->model_exponent.value = 1.5;
  const double best = std::pow(3 * 1e8, 0.5);
  EXPECT_NEAR(predict_loss(laws, best, 1e16 / best).by_curve->value, laws.loss->at(1e16), 1e-9);
}

TEST(Predict, TheBestRunOfABudgetLiesOnTheCurve) {
  Laws laws = agreeing_laws();
  laws.loss->record.points = {{1e15, 2}, {4e15, 1.9}};
  const Prediction p = predict_best_loss(laws, 1e16);
  EXPECT_NEAR(p.model_flops, 1e8, 1);
  EXPECT_NEAR(p.tokens, 1e8, 1);
  EXPECT_NEAR(p.by_curve->value, 1.2, 1e-9);
  EXPECT_NEAR(p.by_surface->value, 1.2, 1e-9);
  EXPECT_NEAR(p.beyond.value(), 2.5, 1e-9);
  laws.loss_surface.reset();
  EXPECT_FALSE(predict_best_loss(laws, 1e16).by_surface);
  EXPECT_EQ(input_error_of([&] { predict_best_loss(laws, -1); }),
            "the budget is -1: use a positive number, such as 1e9");
  EXPECT_THAT(input_error_of([] { predict_best_loss(deepseek_laws(), 1e16); }),
              HasSubstr("has no law 'loss'"));
  laws.model_flops.reset();
  EXPECT_THAT(input_error_of([&] { predict_best_loss(laws, 1e16); }),
              HasSubstr("has no law 'model_flops'"));
}

TEST(Predict, ReachIsCountedFromTheLargestRunWhereverItStands) {
  Laws laws = deepseek_laws();
  laws.loss_surface.emplace();
  laws.loss_surface->record.points = {{1e8, 1e9, 3}, {2e8, 4e9, 3}, {1e7, 1e9, 3}};
  EXPECT_NEAR(predict_loss(laws, 4e8, 6e9).beyond.value(), 3, 1e-9);
  laws.loss_surface->record.points.clear();
  EXPECT_FALSE(predict_loss(laws, 4e8, 6e9).beyond);
}

TEST(Predict, RefusesLawsWithoutASurfaceAndSizesThatAreNone) {
  const Laws laws = deepseek_laws();
  EXPECT_THAT(input_error_of([&] { predict_loss(laws, 1e9, 1e9); }),
              HasSubstr("has no law 'loss_surface'"));
  const Laws fitted = fit_of(study_runs()).laws();
  EXPECT_EQ(input_error_of([&] { predict_loss(fitted, 1e9, 0); }),
            "the number of tokens is 0: use a positive number, such as 1e9");
}

}  // namespace
}  // namespace fathom::scaling
