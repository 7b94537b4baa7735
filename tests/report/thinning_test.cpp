#include "report/thinning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "report/page.h"

namespace fathom {
namespace {

struct Line {
  std::vector<double> x, y;
};

// The loss of a number of steps, with noise that is computed without a generator.
Line losses(std::size_t steps) {
  Line line;
  for (std::size_t step = 1; step <= steps; ++step) {
    line.x.push_back(double(step));
    line.y.push_back(10 / std::sqrt(double(step)) + 2 + 0.2 * std::sin(double(step) * 1.7));
  }
  return line;
}

bool kept(const std::vector<std::size_t>& indices, std::size_t index) {
  return std::binary_search(indices.begin(), indices.end(), index);
}

TEST(Thinning, KeepsShortLinesWhole) {
  const Line line = losses(3000);
  EXPECT_EQ(thinned(line.x, line.y).size(), 3000u);
  EXPECT_TRUE(thinned({}, {}).empty());
  const std::vector<double> one_place(5000, 7.0);
  EXPECT_EQ(thinned(one_place, one_place).size(), 5000u);
}

// In a bucket of equal values the first stands for all.
TEST(Thinning, BeginsBeyond3000Points) {
  const auto kept_of_equal = [](std::size_t points) {
    const std::vector<double> y(points, 1.0);
    return thinned(losses(points).x, y);
  };
  EXPECT_EQ(kept_of_equal(3000).size(), 3000u);
  const auto indices = kept_of_equal(3001);
  EXPECT_EQ(indices.size(), 1108u);
  EXPECT_EQ(std::vector(indices.begin(), indices.begin() + 5),
            (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(std::vector(indices.end() - 3, indices.end()),
            (std::vector<std::size_t>{2994, 2997, 3000}));
}

TEST(Thinning, KeepsEndsOutliersAndGaps) {
  Line line = losses(100'000);
  line.y[40'123] = 50;
  line.y[70'456] = -50;
  line.y[90'789] = std::numeric_limits<double>::quiet_NaN();
  const auto indices = thinned(line.x, line.y);
  EXPECT_LE(indices.size(), 6000u);
  EXPECT_TRUE(std::is_sorted(indices.begin(), indices.end(), std::less_equal<>()));
  for (const std::size_t index : {0u, 40'123u, 70'456u, 90'789u, 99'999u}) {
    EXPECT_TRUE(kept(indices, index)) << index;
  }
}

// Between any two neighbours nothing lies outside the values around them.
TEST(Thinning, KeepsTheEnvelope) {
  const Line line = losses(100'000);
  const auto indices = thinned(line.x, line.y);
  for (std::size_t begin = 50'000; begin < 60'000; begin += 200) {  // two buckets of even width
    const auto range = [&](const auto& wanted) {
      double low = INFINITY, high = -INFINITY;
      for (std::size_t i = begin; i < begin + 200; ++i) {
        if (!wanted(i)) continue;
        low = std::min(low, line.y[i]);
        high = std::max(high, line.y[i]);
      }
      return std::pair(low, high);
    };
    const auto [low, high] = range([](std::size_t) { return true; });
    const auto [kept_low, kept_high] = range([&](std::size_t i) { return kept(indices, i); });
    EXPECT_NEAR(kept_low, low, 0.002);
    EXPECT_NEAR(kept_high, high, 0.002);
  }
}

TEST(Thinning, KeepsTheBeginningInDetail) {
  const Line line = losses(1'000'000);
  const auto indices = thinned(line.x, line.y);
  EXPECT_LE(indices.size(), 6000u);
  EXPECT_TRUE(kept(indices, 1));
  for (const std::size_t end : {100u, 1000u, 10'000u}) {
    const auto before = std::lower_bound(indices.begin(), indices.end(), end) - indices.begin();
    EXPECT_GT(before, 60) << end;
  }
}

// Six charts of 100,000 steps.
TEST(Thinning, KeepsPagesSmall) {
  const Line line = losses(100'000);
  Section section{"Curves", {}};
  for (int chart = 0; chart < 6; ++chart) {
    section.parts.push_back(
        Chart{"c", {"step", "", {}}, {"y", "", {}}, {{"s", {}, line.x, line.y, {}, {}}}});
  }
  const std::size_t size = page_html({"page", {section}}).size();
  EXPECT_LT(size, 700'000u);
}

}  // namespace
}  // namespace fathom
