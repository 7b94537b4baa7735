#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/philox.h"
#include "data/dedup/minhash.h"
#include "data/dedup/sketch.h"
#include "io/temp_dir.h"

namespace fathom::dedup {
namespace {

// `count` different hashes, ascending.
std::vector<std::uint32_t> hashes(std::uint64_t seed, std::size_t count) {
  const Philox random{seed, 7};
  std::vector<std::uint32_t> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<std::uint32_t>(random.bits(i));
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

std::vector<std::uint32_t> united(const std::vector<std::uint32_t>& a,
                                  const std::vector<std::uint32_t>& b) {
  std::vector<std::uint32_t> all;
  std::ranges::set_union(a, b, std::back_inserter(all));
  return all;
}

double exact_similarity(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
  std::vector<std::uint32_t> both;
  std::ranges::set_intersection(a, b, std::back_inserter(both));
  return static_cast<double>(both.size()) / static_cast<double>(a.size() + b.size() - both.size());
}

TEST(MinHash, MinimaAreThoseOfEachFunction) {
  const auto set = hashes(1, 300);
  const MinHasher whole(70, 5);
  std::vector<std::uint32_t> minima(70), one(70), smallest(70, ~0u);
  whole.minima(set, minima);
  for (const std::uint32_t x : set) {
    whole.minima({&x, 1}, one);
    for (std::size_t i = 0; i < one.size(); ++i) smallest[i] = std::min(smallest[i], one[i]);
  }
  EXPECT_EQ(minima, smallest);
  whole.minima({}, minima);
  EXPECT_EQ(minima, std::vector<std::uint32_t>(70, std::numeric_limits<std::uint32_t>::max()));
}

// h(x + 1) - h(x) is the function's factor.
TEST(MinHash, FunctionsDiffer) {
  const MinHasher hasher(300, 5);
  const std::uint32_t x = 1000, y = 1001;
  std::vector<std::uint32_t> a(300), b(300);
  hasher.minima({&x, 1}, a);
  hasher.minima({&y, 1}, b);
  std::vector<std::uint32_t> factors(300);
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = b[i] - a[i];
  std::ranges::sort(factors);
  EXPECT_EQ(std::ranges::adjacent_find(factors), factors.end());
}

// Equal minima are as frequent as the similarity says.
TEST(MinHash, EstimatesSimilarity) {
  constexpr std::size_t functions = 4096;
  const MinHasher hasher(functions, 9);
  std::vector<std::uint32_t> x(functions), y(functions);
  for (const std::size_t shared : {20u, 100u, 300u, 600u}) {
    const auto common = hashes(10, shared);
    const auto a = united(common, hashes(11, 100)), b = united(common, hashes(12, 100));
    hasher.minima(a, x);
    hasher.minima(b, y);
    double equal = 0;
    for (std::size_t i = 0; i < functions; ++i) equal += x[i] == y[i];
    const double s = exact_similarity(a, b);
    EXPECT_NEAR(equal / functions, s, 4 * std::sqrt(s * (1 - s) / functions)) << shared;
  }
}

// How often random pairs of known similarity share a band, beside the formula.
TEST(MinHash, CandidatesFollowTheCurve) {
  const Banding banding{14, 8};
  const MinHasher hasher(112, 2);
  std::vector<std::uint32_t> x(112), y(112);
  std::vector<std::uint64_t> p(14), q(14);
  for (const std::size_t shared : {150u, 250u, 350u, 500u, 900u}) {
    int found = 0;
    double s = 0;
    constexpr int pairs = 2000;
    for (int i = 0; i < pairs; ++i) {
      const auto common = hashes(1000 + i, shared);
      const auto a = united(common, hashes(5000 + i, 60)), b = united(common, hashes(9000 + i, 60));
      s += exact_similarity(a, b) / pairs;
      hasher.minima(a, x);
      hasher.minima(b, y);
      band_keys(x, banding, p);
      band_keys(y, banding, q);
      found += std::ranges::any_of(
          p, [&](std::uint64_t key) { return std::ranges::find(q, key) != q.end(); });
    }
    EXPECT_NEAR(found / double(pairs), candidate_probability(s, banding), 0.03) << s;
  }
}

TEST(MinHash, BandsOfOneSignatureDiffer) {
  std::vector<std::uint64_t> keys(16);
  band_keys(std::vector<std::uint32_t>(64, 5), {16, 4}, keys);
  std::ranges::sort(keys);
  EXPECT_EQ(std::ranges::adjacent_find(keys), keys.end());
}

TEST(MinHash, ABandHasOneKey) {
  const std::vector<std::uint32_t> minima(68, 5);
  std::vector<std::uint64_t> keys(17, 7);
  band_keys(minima, {16, 4}, std::span(keys).first(16));
  EXPECT_EQ(std::ranges::count(keys, 7u), 1);
  EXPECT_EQ(keys.back(), 7u);
}

TEST(MinHash, FormulaOfTheCurve) {
  EXPECT_NEAR(candidate_probability(0.7, {14, 8}), 0.56, 0.005);  // FineWeb's, as published
  EXPECT_NEAR(candidate_probability(0.8, {14, 8}), 0.92, 0.005);
  EXPECT_NEAR(candidate_probability(0.8, {20, 13}), 0.68, 0.005);
}

TEST(MinHash, BandingReachesTheRecall) {
  MinHashConfig config;
  for (const double threshold : {0.5, 0.7, 0.8, 0.95}) {
    config.threshold = threshold;
    const Banding banding = choose_banding(config);
    EXPECT_LE(banding.bands * banding.rows, 128);
    EXPECT_GE(candidate_probability(threshold, banding), 0.95);
    EXPECT_LT(candidate_probability(threshold, {128 / (banding.rows + 1), banding.rows + 1}), 0.95);
  }
  config.bands = 9, config.rows = 13;
  EXPECT_EQ(choose_banding(config).rows, 13);
  // As many rows as functions, in one band, where even that reaches the recall; and one row.
  const auto banding_of = [](double threshold, double recall, std::int64_t permutations) {
    MinHashConfig exact;
    exact.threshold = threshold, exact.recall = recall, exact.permutations = permutations;
    const Banding banding = choose_banding(exact);
    return std::pair(banding.bands, banding.rows);
  };
  EXPECT_EQ(banding_of(1, 0.95, 5), std::pair(std::int64_t{1}, std::int64_t{5}));
  EXPECT_EQ(banding_of(0.99, 0.98, 2), std::pair(std::int64_t{1}, std::int64_t{2}));
  EXPECT_EQ(banding_of(0.5, 0.5, 1), std::pair(std::int64_t{1}, std::int64_t{1}));
  EXPECT_EQ(banding_of(0.5, 0.25, 2), std::pair(std::int64_t{1}, std::int64_t{2}));
  config = {};
  config.threshold = 0.02, config.permutations = 2;
  EXPECT_EQ(test::input_error_of([&] { choose_banding(config); }),
            "minhash.recall: 0.95 at threshold 0.02 is out of reach with 2 permutations");
}

SketchView sketch(const std::vector<std::uint32_t>& set, std::size_t kept) {
  return {std::span(set).first(std::min(kept, set.size())), kept >= set.size()};
}

TEST(Sketch, IsExactWhenWhole) {
  const auto common = hashes(1, 50);
  const auto a = united(common, hashes(2, 10)), b = united(common, hashes(3, 25));
  EXPECT_DOUBLE_EQ(similarity(sketch(a, 999), sketch(b, 999)), 50.0 / 85);
  EXPECT_DOUBLE_EQ(similarity(sketch(a, 999), sketch(a, 999)), 1);
  EXPECT_DOUBLE_EQ(similarity(sketch(a, 999), {}), 0);
  EXPECT_DOUBLE_EQ(similarity({}, {}), 0);
}

// Without bias over many pairs, and with the error that the header states.
TEST(Sketch, EstimatesWhenCut) {
  constexpr int pairs = 400;
  constexpr std::size_t kept = 256;
  double bias = 0, square = 0, s = 0;
  for (int i = 0; i < pairs; ++i) {
    const auto common = hashes(100 + i, 1600);
    const auto a = united(common, hashes(1000 + i, 150)), b = united(common, hashes(2000 + i, 250));
    const double exact = exact_similarity(a, b);
    const double error = similarity(sketch(a, kept), sketch(b, kept)) - exact;
    s += exact / pairs;
    bias += error / pairs;
    square += error * error / pairs;
  }
  const double stated = std::sqrt(s * (1 - s) / kept);
  EXPECT_NEAR(bias, 0, 4 * stated / std::sqrt(pairs));
  EXPECT_LT(std::sqrt(square), 1.15 * stated);
  EXPECT_GT(std::sqrt(square), 0.5 * stated);
}

// A short document and one whose sketch is cut: those above the cut do not count as missing.
TEST(Sketch, OfOneCutAndOneWhole) {
  const auto large = hashes(4, 4000);
  std::vector<std::uint32_t> some(large.begin() + 100, large.end());
  EXPECT_DOUBLE_EQ(similarity(sketch(large, 500), sketch(some, 99999)), 400.0 / 500);
}

}  // namespace
}  // namespace fathom::dedup
