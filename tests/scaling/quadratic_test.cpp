// Quadratics through losses, and the noise that they leave.
#include "scaling/quadratic.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <set>
#include <tuple>
#include <vector>

#include "core/parallel.h"
#include "scaling/optima.h"
#include "scaling/synthetic_runs.h"

namespace fathom::scaling {
namespace {

constexpr double exact_weight = std::numeric_limits<double>::infinity();

TEST(Quadratic, AParabolaIsMetExactly) {
  std::vector<Point> x;
  std::vector<double> y;
  for (const double at : {17.0, 18.0, 19.5, 20.0, 21.0}) {
    x.push_back({at, 0});
    y.push_back(3 + 0.25 * (at - 19) * (at - 19));
  }
  const Quadratic fit = fit_quadratic(Axes::one, x, y, exact_weight);
  ASSERT_TRUE(fit.has_minimum());
  EXPECT_NEAR(fit.lowest_point()[0], 19, 1e-6);
  EXPECT_NEAR(fit.lowest(), 3, 1e-7);
  EXPECT_NEAR(fit.at({15, 0}), 7, 1e-6);
  EXPECT_NEAR(fit.reach(0, 0.01), 0.2, 1e-6);  // 0.25 · 0.2² = 0.01
}

TEST(Quadratic, OnlyABowlHasALowestPoint) {
  Quadratic q;
  q.axes = Axes::two;
  for (const auto& [first, second, twist, lowest] : {std::tuple{1.0, 2.0, 0.5, true},
                                                     {-1.0, -2.0, 0.5, false},
                                                     {1.0, -2.0, 0.0, false},
                                                     {1.0, 2.0, 1.5, false}}) {
    q.curvature = {first, second};
    q.twist = twist;
    EXPECT_EQ(q.has_minimum(), lowest) << first << " " << second << " " << twist;
  }
  q.axes = Axes::one;
  q.curvature = {-1, 0};
  EXPECT_FALSE(q.has_minimum());
}

TEST(Quadratic, ABowlIsMetExactly) {
  const auto bowl = [](double r, double b) {
    return 2 + 0.3 * (r + 6) * (r + 6) + 0.2 * (b - 12) * (b - 12) - 0.25 * (r + 6) * (b - 12);
  };
  std::vector<Point> x;
  std::vector<double> y;
  for (const double r : {-8.0, -7.0, -5.5, -5.0}) {
    for (const double b : {10.0, 11.0, 13.0}) {
      x.push_back({r, b});
      y.push_back(bowl(r, b));
    }
  }
  const Quadratic fit = fit_quadratic(Axes::two, x, y, exact_weight);
  ASSERT_TRUE(fit.has_minimum());
  EXPECT_NEAR(fit.lowest_point()[0], -6, 1e-6);
  EXPECT_NEAR(fit.lowest_point()[1], 12, 1e-6);
  EXPECT_NEAR(fit.lowest(), 2, 1e-6);
  // The farthest rate within 0.01: where the batch that suits it is chosen.
  double farthest = 0;
  for (double r = 0; r < 1; r += 1e-3) {
    double least = 10;
    for (double b = -1; b < 1; b += 1e-3) least = std::min(least, bowl(-6 + r, 12 + b) - 2);
    if (least <= 0.01) farthest = r;
  }
  EXPECT_NEAR(fit.reach(0, 0.01), farthest, 2e-3);
}

TEST(Quadratic, KnowsWhenItHasNoMinimum) {
  Quadratic q{Axes::one, {}, 1, {0.5, 0}, {-1, 0}, 0};
  EXPECT_FALSE(q.has_minimum());
  q.curvature = {1, 0};
  EXPECT_TRUE(q.has_minimum());
  q = {Axes::two, {}, 1, {}, {1, 1}, 1.1};  // a saddle
  EXPECT_FALSE(q.has_minimum());
  q.twist = 0.9;
  EXPECT_TRUE(q.has_minimum());
}

TEST(Quadratic, OneBadRunHardlyMovesTheOptimum) {
  std::vector<Point> x;
  std::vector<double> y;
  for (int i = 0; i < 9; ++i) {
    const double at = 16 + 0.5 * i;
    x.push_back({at, 0});
    y.push_back(3 + 0.05 * (at - 18) * (at - 18));
  }
  y[7] += 0.5;
  const double robust = fit_quadratic(Axes::one, x, y, 0.003).lowest_point()[0];
  const double plain = fit_quadratic(Axes::one, x, y, exact_weight).lowest_point()[0];
  EXPECT_NEAR(robust, 18, 0.05);
  EXPECT_GT(std::abs(plain - 18), 0.3);
}

// Five parabolas of 8 points each.
std::vector<Experiment> experiments(double noise) {
  const synthetic::Normal normal{{5, 1}};
  std::vector<Experiment> all(5);
  std::uint64_t i = 0;
  for (Experiment& one : all) {
    for (int k = 0; k < 8; ++k) {
      const double x = -2 + 4.0 * k / 7;
      one.x.push_back({x, 0});
      one.loss.push_back(3 * (1 + 0.015 * x * x) * (1 + noise * normal(i++)));
    }
  }
  return all;
}

TEST(Optima, FindTheNoiseAndSpreadAsFarAsItDoes) {
  const Optima optima = find_optima(experiments(0.002), "test", {400, 1});
  EXPECT_EQ(optima.freedom, 25);
  EXPECT_NEAR(optima.noise, 0.002, 0.0007);
  // With x symmetric about 0 the vertex is −slope / curvature: its deviation is
  // σ / sqrt(Σ x²) / curvature.
  double squares = 0;
  for (int k = 0; k < 8; ++k) squares += std::pow(-2 + 4.0 * k / 7, 2);
  const double expected = 0.002 / std::sqrt(squares) / 0.03;
  for (const Optimum& one : optima.each) {
    ASSERT_EQ(one.draws.size(), 400u);
    double sum = 0, square = 0;
    for (const Quadratic& draw : one.draws) {
      const double at = draw.lowest_point()[0];
      sum += at;
      square += at * at;
    }
    const double deviation = std::sqrt(square / 400 - sum * sum / 160000);
    EXPECT_NEAR(deviation, expected, 0.4 * expected);
    EXPECT_NEAR(one.fit.lowest_point()[0], 0, 4 * expected);
  }
}

// The same losses in two experiments have noise of their own in every draw.
TEST(Optima, OfTwoExperimentsHaveNoiseOfTheirOwn) {
  std::vector<Experiment> twice = experiments(0.002);
  twice.resize(1);
  twice.push_back(twice[0]);
  const Optima optima = find_optima(twice, "test", {20, 1});
  EXPECT_EQ(optima.each[0].fit.constant, optima.each[1].fit.constant);
  std::set<double> drawn;
  for (const Optimum& one : optima.each) {
    for (const Quadratic& draw : one.draws) drawn.insert(draw.constant);
  }
  EXPECT_EQ(drawn.size(), 40u);
  EXPECT_EQ(optima.freedom,
            2.0 * static_cast<double>(twice[0].x.size() - parameter_count(twice[0].axes)));
}

TEST(Optima, OfNothingAreNone) {
  const Optima optima = find_optima({}, "test", {20, 1});
  EXPECT_TRUE(optima.each.empty());
  EXPECT_EQ(optima.freedom, 0);
}

TEST(Optima, AreTheSameOnAnyNumberOfThreads) {
  const auto draws = [](int threads) {
    set_num_threads(threads);
    std::vector<double> at;
    for (const Optimum& one : find_optima(experiments(0.002), "test", {50, 3}).each) {
      for (const Quadratic& draw : one.draws) at.push_back(draw.lowest_point()[0]);
    }
    return at;
  };
  const int before = num_threads();
  const std::vector<double> one = draws(1), two = draws(2);
  set_num_threads(before);
  EXPECT_EQ(one, two);
}

}  // namespace
}  // namespace fathom::scaling
