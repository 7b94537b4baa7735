#include "data/mixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/error.h"
#include "data/permutation.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

TEST(Permutation, TakesEveryNumberOnce) {
  for (const std::int64_t size : {1, 2, 3, 4, 5, 16, 17, 100, 1000}) {
    const Permutation permutation(size, 7, 9);
    std::set<std::int64_t> seen;
    for (std::int64_t i = 0; i < size; ++i) {
      const std::int64_t x = permutation(i);
      EXPECT_GE(x, 0);
      EXPECT_LT(x, size);
      seen.insert(x);
    }
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), size);
  }
}

TEST(Permutation, DependsOnItsKeyAndLooksRandom) {
  const std::int64_t size = 10000;
  const Permutation one(size, 1, 0), two(size, 2, 0);
  int same = 0;
  double correlation = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    same += one(i) == two(i);
    correlation += (double(i) / size - 0.5) * (double(one(i)) / size - 0.5);
  }
  EXPECT_LT(same, 10);                                 // 1 expected
  EXPECT_LT(std::abs(correlation * 12 / size), 0.05);  // standard deviation 0.01
}

TEST(Mixture, OrdinalsCountTheSourcesTurns) {
  const std::vector<double> weights = {5, 3, 0.001};
  const Mixture mixture(weights);
  std::vector<std::int64_t> counts(3, 0);
  for (std::int64_t i = 0; i < 2 * Mixture::period + 10; ++i) {
    const auto [source, ordinal] = mixture.turn(i);
    EXPECT_EQ(ordinal, counts[std::size_t(source)]++);
  }
}

TEST(Mixture, SharesOfEveryPrefixAreTheWeights) {
  const std::vector<double> weights = {0.5, 0.3, 0.15, 0.05};
  const Mixture mixture(weights);
  std::vector<double> counts(4, 0);
  for (std::int64_t i = 0; i < 20000; ++i) {
    ++counts[std::size_t(mixture.turn(i).source)];
    for (std::size_t s = 0; s < 4; ++s) {
      ASSERT_NEAR(counts[s], weights[s] * double(i + 1), 2.5) << "source " << s << " at " << i;
    }
  }
}

// What rounding down leaves goes to the largest remainders, of equal ones to the first.
TEST(Mixture, QuotasAddUp) {
  const auto quotas = [](std::vector<double> weights) {
    const Mixture mixture(weights);
    std::vector<std::int64_t> all;
    for (std::size_t s = 0; s < weights.size(); ++s) all.push_back(mixture.quota(int(s)));
    return all;
  };
  using Quotas = std::vector<std::int64_t>;
  EXPECT_EQ(quotas({2}), Quotas{65536});
  EXPECT_EQ(quotas({1, 1, 1}), (Quotas{21846, 21845, 21845}));
  EXPECT_EQ(quotas({2, 3}), (Quotas{26214, 39322}));
  EXPECT_EQ(quotas({3, 2, 2}), (Quotas{28087, 18725, 18724}));
  EXPECT_EQ(quotas({1, 1e-12, 1, 1e-12}), (Quotas{32767, 1, 32767, 1}));
}

TEST(Mixture, CountsTheTurnsBeforeASample) {
  const std::vector<double> weights = {5, 3, 0.001};
  const Mixture mixture(weights);
  std::vector<std::int64_t> turns(3, 0);
  for (std::int64_t i = 0; i < 2 * Mixture::period + 100; ++i) {
    const auto [source, ordinal] = mixture.turn(i);
    ASSERT_EQ(ordinal, turns[std::size_t(source)]++);
    if (i % 9973 != 0 && i % Mixture::period > 1) continue;
    for (int s = 0; s < 3; ++s) {
      ASSERT_EQ(mixture.turns_before(s, i + 1), turns[std::size_t(s)]) << i;
    }
  }
  EXPECT_EQ(mixture.turns_before(0, 0), 0);
}

TEST(Mixture, SourcesThatAreDueTogetherComeInTheirOrder) {
  const std::vector<double> weights = {1, 1, 2};
  const Mixture mixture(weights);
  std::vector<int> sources;
  for (std::int64_t i = 0; i < 8; ++i) sources.push_back(mixture.turn(i).source);
  EXPECT_EQ(sources, (std::vector<int>{2, 0, 1, 2, 2, 0, 1, 2}));
}

TEST(Mixture, TinyWeightsGetATurn) {
  const std::vector<double> weights = {1, 1e-12, 1e-12};
  const Mixture mixture(weights);
  EXPECT_EQ(mixture.quota(1), 1);
  EXPECT_EQ(mixture.quota(0) + mixture.quota(1) + mixture.quota(2), Mixture::period);
}

TEST(Mixture, RefusesWeightsThatAreNone) {
  const std::vector<double> zero = {1, 0}, infinite = {INFINITY}, none;
  EXPECT_THROW(Mixture m(zero), Error);
  EXPECT_THROW(Mixture m(infinite), Error);
  EXPECT_THROW(Mixture m(none), Error);
}

TEST(Mixture, HasFewerSourcesThanItsPeriod) {
  const std::vector<double> most(Mixture::period - 1, 1), more(Mixture::period, 1);
  const Mixture mixture(most);
  EXPECT_EQ(mixture.quota(0), 2);
  EXPECT_EQ(mixture.quota(1), 1);
  EXPECT_EQ(mixture.quota(Mixture::period - 2), 1);
  const auto error = [](std::span<const double> weights) {
    return test::runtime_error_of([&] { Mixture refused(weights); });
  };
  EXPECT_EQ(error(more), "a mixture of 65536 sources");
  EXPECT_EQ(error({}), "a mixture of 0 sources");
  EXPECT_EQ(error(std::vector<double>{1, -2}), "a source's weight is -2");
  EXPECT_EQ(error(std::vector<double>{0}), "a source's weight is 0");
  EXPECT_EQ(error(std::vector<double>{NAN}), "a source's weight is nan");
}

}  // namespace
}  // namespace fathom
