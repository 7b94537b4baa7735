// Laws through optima.
#include "scaling/law_fit.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "scaling/synthetic_runs.h"

namespace fathom::scaling {
namespace {

const std::vector<double> budgets{1e17, 3e17, 1e18, 3e18, 1e19};

// Points of y(x) off by exp(deviation · normal), with draws that spread as much.
template <class F>
std::vector<LawPoint> points_of(F&& y, double deviation, double off = 0) {
  const synthetic::Normal normal{{3, 1}};
  std::vector<LawPoint> points;
  std::uint64_t i = 0;
  for (const double x : budgets) {
    LawPoint point{x, y(x) * std::exp(off * normal(i++)), {}};
    for (int draw = 0; draw < 200; ++draw) {
      point.draws.push_back(point.y * std::exp(deviation * normal(i++)));
    }
    points.push_back(std::move(point));
  }
  return points;
}

double width(const Parameter& parameter) {
  return parameter.interval->high - parameter.interval->low;
}

TEST(LawFit, APowerLawIsMetExactly) {
  const auto truth = [](double x) { return 0.1715 * std::pow(x, 0.5243); };
  const PowerLaw law = fit_power_law(points_of(truth, 0.02), 1e6);
  EXPECT_NEAR(law.exponent.value, 0.5243, 1e-6);
  EXPECT_NEAR(law.coefficient.value, 0.1715, 1e-4);
  EXPECT_NEAR(law.at(1e20), truth(1e20), 1e-4 * truth(1e20));
  // σ / sqrt(Σ (ln x − mean)²) is a slope's deviation.
  double mean = 0, squares = 0;
  for (const double x : budgets) mean += std::log(x) / 5;
  for (const double x : budgets) squares += std::pow(std::log(x) - mean, 2);
  EXPECT_NEAR(width(law.exponent), 2 * 1.96 * 0.02 / std::sqrt(squares), 1.5e-3);
  EXPECT_EQ(law.record.points.size(), 5u);
  EXPECT_EQ(law.record.draws.size(), 200u);
  EXPECT_EQ(law.record.points[1], (std::array<double, 2>{3e17, truth(3e17)}));
}

TEST(LawFit, AnUncertainOptimumWeighsLittle) {
  const auto truth = [](double x) { return 2 * std::pow(x, 0.5); };
  std::vector<LawPoint> points = points_of(truth, 0.2);
  const auto exponent = [&] { return fit_power_law(points, 1e6).exponent.value; };
  points.back().y *= 1.2;
  const double trusted = exponent();
  for (double& draw : points.back().draws) {
    draw = points.back().y * std::pow(draw / truth(1e19), 100);
  }
  EXPECT_GT(trusted, 0.52);
  EXPECT_NEAR(exponent(), 0.5, 0.002);
}

TEST(LawFit, ScatterThatTheDrawsDoNotExplainWidensTheInterval) {
  const auto truth = [](double x) { return 2 * std::pow(x, 0.5); };
  const double small = width(fit_power_law(points_of(truth, 0.01), 1e6).exponent);
  const double large = width(fit_power_law(points_of(truth, 0.01, 0.2), 1e6).exponent);
  EXPECT_GT(large, 5 * small);
}

// By the square root of χ² a degree of freedom (Birge): offsets that no line takes up, of at most
// 1.3 standard deviations.
TEST(LawFit, TheIntervalIsWidenedByTheRatioOfTheScatter) {
  const auto truth = [](double x) { return 2 * std::pow(x, 0.5); };
  const double deviation = 0.02;
  std::vector<LawPoint> points = points_of(truth, deviation);
  const double unscattered = width(fit_power_law(points, 1e6).exponent);
  const double unit = 0.65;
  double squares = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double off = std::array{1, -2, 0, 2, -1}[i] * unit;
    squares += off * off;
    points[i].y *= std::exp(off * deviation);
    for (double& draw : points[i].draws) draw *= std::exp(off * deviation);
  }
  const double scattered = width(fit_power_law(points, 1e6).exponent);
  EXPECT_NEAR(scattered / unscattered, std::sqrt(squares / 3), 0.06);
}

TEST(LawFit, FewDegreesOfFreedomWidenTheInterval) {
  const auto truth = [](double x) { return 2 * std::pow(x, 0.5); };
  const double many = width(fit_power_law(points_of(truth, 0.01), 1e6).exponent);
  const double few = width(fit_power_law(points_of(truth, 0.01), 5).exponent);
  EXPECT_NEAR(few / many, 1.31, 0.02);
}

TEST(LawFit, DrawsWithoutAnOptimumAreLeftOut) {
  std::vector<LawPoint> points = points_of([](double x) { return std::pow(x, 0.5); }, 0.01);
  for (LawPoint& point : points) point.draws[7] = std::nan("");
  points[0].draws[9] = std::nan("");
  const PowerLaw law = fit_power_law(points, 1e6);
  EXPECT_EQ(law.record.draws.size(), 199u);
  for (const auto& [coefficient, exponent] : law.record.draws) EXPECT_TRUE(std::isfinite(exponent));
}

// Steeper than any power of x whose coefficient a double holds.
TEST(LawFit, ALawTooSteepForItsCoefficientHasTheLargestOrSmallest) {
  std::vector<LawPoint> points = points_of([](double x) { return std::pow(x / 1e18, 60); }, 0.01);
  const PowerLaw rising = fit_power_law(points, 1e6);
  EXPECT_NEAR(rising.exponent.value, 60, 0.1);
  EXPECT_GT(rising.coefficient.value, 0);
  for (LawPoint& point : points) {
    point.y = 1 / point.y;
    for (double& draw : point.draws) draw = 1 / draw;
  }
  const PowerLaw falling = fit_power_law(points, 1e6);
  EXPECT_NEAR(falling.exponent.value, -60, 0.1);
  EXPECT_TRUE(std::isfinite(falling.coefficient.value));
  for (const auto& [coefficient, exponent] : falling.record.draws) {
    EXPECT_TRUE(std::isfinite(coefficient) && std::isfinite(1 / coefficient));
  }
}

TEST(LawFit, ALossCurveFindsTheIrreducibleLoss) {
  const auto truth = [](double c) { return 1.7 + 400 * std::pow(c, -0.15); };
  const LossCurve curve = fit_loss_curve(points_of(truth, 1e-5), 1e6);
  EXPECT_NEAR(curve.irreducible.value, 1.7, 0.01);
  EXPECT_NEAR(curve.exponent.value, -0.15, 0.002);
  EXPECT_NEAR(curve.at(1e21), truth(1e21), 0.005);
  EXPECT_LE(curve.irreducible.interval->low, 1.7);
  EXPECT_GE(curve.irreducible.interval->high, 1.7);
}

// Of losses that follow a power law alone the best curve often has no irreducible loss, and some of
// the draws have a large one: neither leads the others astray.
TEST(LawFit, ALossCurveNearItsBoundaryHasAnIntervalAllTheSame) {
  const auto truth = [](double c) { return 0.05 + 12 * std::pow(c, -0.06); };
  int held = 0;
  constexpr int studies = 15;
  for (std::uint64_t seed = 1; seed <= studies; ++seed) {
    const synthetic::Normal normal{{seed, 5}};
    std::vector<LawPoint> points = points_of(truth, 0.001);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double off = std::exp(0.001 * normal(i));
      points[i].y *= off;
      for (double& draw : points[i].draws) draw *= off;
    }
    const LossCurve curve = fit_loss_curve(points, 35);
    const Interval interval = curve.interval_at(1e20).value();
    EXPECT_LT(interval.high - interval.low, 0.1 * truth(1e20)) << seed;
    EXPECT_GT(interval.high - interval.low, 0.001 * truth(1e20)) << seed;
    held += interval.low <= truth(1e20) && truth(1e20) <= interval.high;
  }
  EXPECT_GE(held, 0.9 * studies);
}

TEST(LawFit, ALossCurveOfFewBudgetsHasNoIrreducibleLoss) {
  std::vector<LawPoint> points = points_of([](double c) { return 90 * std::pow(c, -0.08); }, 1e-4);
  points.pop_back();
  const LossCurve curve = fit_loss_curve(points, 1e6);
  EXPECT_EQ(curve.irreducible.value, 0);
  EXPECT_NEAR(curve.exponent.value, -0.08, 1e-6);
  EXPECT_NEAR(curve.coefficient.value, 90, 1e-3);
}

}  // namespace
}  // namespace fathom::scaling
