#include "infer/repetition.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

namespace fathom::infer {
namespace {

using Tokens = std::vector<std::int32_t>;

// The definition, tried for every period.
PeriodicTail tail_by_definition(const Tokens& tokens) {
  const auto n = static_cast<std::int64_t>(tokens.size());
  for (std::int64_t period = 1; 3 * period <= n; ++period) {
    std::int64_t begin = n - period;
    while (begin > 0 && tokens[std::size_t(begin - 1)] == tokens[std::size_t(begin - 1 + period)]) {
      --begin;
    }
    if (n - begin >= 3 * period) return {period, n - begin};
  }
  return {};
}

// Tokens that all differ.
Tokens distinct(std::int32_t first, std::int64_t count) {
  Tokens tokens;
  for (std::int64_t i = 0; i < count; ++i) tokens.push_back(first + std::int32_t(i));
  return tokens;
}

Tokens repeated(const Tokens& prefix, const Tokens& period, std::int64_t length) {
  Tokens tokens = prefix;
  for (std::int64_t i = 0; i < length; ++i) {
    tokens.push_back(period[std::size_t(i) % period.size()]);
  }
  return tokens;
}

TEST(PeriodicTail, IsTheDefinitionsOnSmallAlphabets) {
  std::mt19937 random(3);
  int periodic = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    Tokens tokens(random() % 40);
    const std::int32_t letters = 1 + trial % 3;
    for (std::int32_t& token : tokens) token = std::int32_t(random()) % letters;
    const PeriodicTail expected = tail_by_definition(tokens);
    periodic += expected.period > 0;
    ASSERT_EQ(periodic_tail(tokens), expected) << testing::PrintToString(tokens);
  }
  EXPECT_GT(periodic, 1000);
  EXPECT_LT(periodic, 3800);
}

TEST(PeriodicTail, FindsPlantedPeriods) {
  for (const std::int64_t period : {1, 2, 3, 7, 64, 500}) {
    for (const std::int64_t prefix : {0, 1, 5, 333}) {
      for (const std::int64_t rest : {std::int64_t{0}, period / 2, period - 1}) {
        const std::int64_t length = 3 * period + rest;
        const Tokens tokens = repeated(distinct(100'000, prefix), distinct(0, period), length);
        EXPECT_EQ(periodic_tail(tokens), (PeriodicTail{period, length}))
            << period << " after " << prefix << " and " << rest << " more";
      }
    }
  }
}

TEST(PeriodicTail, TakesTheShortestPeriod) {
  EXPECT_EQ(periodic_tail(Tokens{5, 5, 5, 5, 5, 5}), (PeriodicTail{1, 6}));
  EXPECT_EQ(periodic_tail(Tokens{9, 1, 2, 1, 2, 1, 2, 1, 2}), (PeriodicTail{2, 8}));
}

TEST(PeriodicTail, NeedsThreeWholePeriodsAtTheEnd) {
  for (const std::int64_t period : {1, 2, 5, 30}) {
    const Tokens two = repeated(distinct(1000, 4), distinct(0, period), 3 * period - 1);
    EXPECT_EQ(periodic_tail(two), PeriodicTail{}) << period;
    Tokens ended = repeated({}, distinct(0, period), 8 * period);
    ended.push_back(-7);  // the model has left the loop
    EXPECT_EQ(periodic_tail(ended), PeriodicTail{}) << period;
  }
  EXPECT_EQ(periodic_tail({}), PeriodicTail{});
  EXPECT_EQ(periodic_tail(Tokens{4}), PeriodicTail{});
}

// One other token in the last three periods: nearly periodic.
TEST(PeriodicTail, OneOtherTokenBreaksThePeriod) {
  const std::int64_t period = 11, length = 3 * period;
  for (std::int64_t place = 0; place < length; ++place) {
    Tokens tokens = repeated({}, distinct(0, period), length);
    tokens[std::size_t(place)] = 1000;
    EXPECT_EQ(periodic_tail(tokens), PeriodicTail{}) << place;
  }
}

// A numbered list repeats its words and not its numbers.
TEST(PeriodicTail, ACountingListIsNone) {
  Tokens tokens;
  for (std::int32_t item = 0; item < 50; ++item) {
    for (const std::int32_t token : {1, 1000 + item, 2, 3}) tokens.push_back(token);
  }
  EXPECT_EQ(periodic_tail(tokens), PeriodicTail{});
}

TEST(RepeatsWithoutEnd, NeedsBoth) {
  EXPECT_TRUE(repeats_without_end({{1, 2, 1, 2, 1, 2}, false}));
  EXPECT_FALSE(repeats_without_end({{1, 2, 1, 2, 1, 2}, true}));
  EXPECT_FALSE(repeats_without_end({{1, 2, 3, 4, 5, 6}, false}));
  EXPECT_FALSE(repeats_without_end({{}, false}));
}

TEST(RepeatedNgrams, CountsEachSequenceOnce) {
  const Tokens tokens = {1, 2, 1, 2, 1};
  EXPECT_DOUBLE_EQ(repeated_ngrams(tokens, 1), 1 - 2.0 / 5);
  EXPECT_DOUBLE_EQ(repeated_ngrams(tokens, 2), 1 - 2.0 / 4);
  EXPECT_DOUBLE_EQ(repeated_ngrams(tokens, 3), 1 - 2.0 / 3);
  EXPECT_DOUBLE_EQ(repeated_ngrams(tokens, 4), 0);
  EXPECT_DOUBLE_EQ(repeated_ngrams(tokens, 6), 0) << "none of that length";
  EXPECT_DOUBLE_EQ(repeated_ngrams(Tokens(100, 7), 4), 1 - 1.0 / 97);
  EXPECT_DOUBLE_EQ(repeated_ngrams(distinct(0, 100), 1), 0);
}

TEST(RepeatedNgrams, IsTheDefinitionsOnSmallAlphabets) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 500; ++trial) {
    Tokens tokens(1 + random() % 60);
    for (std::int32_t& token : tokens) token = std::int32_t(random() % 3) - 1;
    for (std::int64_t n = 1; n <= 4 && n <= std::ssize(tokens); ++n) {
      std::set<Tokens> all;
      const std::int64_t total = std::ssize(tokens) - n + 1;
      for (std::int64_t i = 0; i < total; ++i) {
        all.insert(Tokens(tokens.begin() + i, tokens.begin() + i + n));
      }
      ASSERT_NEAR(repeated_ngrams(tokens, n), 1 - double(all.size()) / double(total), 1e-12);
    }
  }
}

TEST(RepetitionOf, AveragesOverTheAnswers) {
  const std::vector<Answer> answers = {
      {{1, 1, 1, 1}, false}, {{1, 2, 3, 4}, true}, {{5, 6}, true}, {{}, true}};
  const RepetitionFigures figures = repetition_of(answers);
  EXPECT_EQ(figures.answers, 4);
  EXPECT_DOUBLE_EQ(figures.repeating, 0.25);
  EXPECT_DOUBLE_EQ(figures.ended, 0.75);
  EXPECT_DOUBLE_EQ(figures.mean_length, 2.5);
  // Of three, three, two and two answers.
  EXPECT_THAT(figures.repeated_ngrams,
              testing::ElementsAre(testing::DoubleEq(0.75 / 3), testing::DoubleEq((2.0 / 3) / 3),
                                   testing::DoubleEq(0.5 / 2), testing::DoubleEq(0.0)));
  EXPECT_EQ(repetition_of({}).answers, 0);
  EXPECT_EQ(repetition_of({}).mean_length, 0);
}

}  // namespace
}  // namespace fathom::infer
