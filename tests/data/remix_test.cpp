#include "data/remix.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/reading_table.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using test::input_error_of;

RemixOptions options_of(double budget, double temperature = 1, double max_epochs = 4) {
  return {budget, temperature, max_epochs};
}

TEST(Remix, SharesFollowSizesWeightsAndTemperature) {
  const auto plain = remix({{"a", 900}, {"b", 100}}, options_of(1000));
  EXPECT_DOUBLE_EQ(plain[0].share, 0.9);
  EXPECT_DOUBLE_EQ(plain[1].epochs, 1);
  const auto weighted = remix({{"a", 900}, {"b", 100, 3}}, options_of(600));
  EXPECT_DOUBLE_EQ(weighted[1].share, 0.25);
  EXPECT_DOUBLE_EQ(weighted[1].epochs, 1.5);
  const auto flat = remix({{"a", 900}, {"b", 100}}, options_of(400, 2));
  EXPECT_DOUBLE_EQ(flat[0].share, 0.75);  // the ratio 9 becomes 3
  EXPECT_FALSE(flat[1].capped);
}

TEST(Remix, CapsHandTheRestOn) {
  const auto shares = remix({{"a", 1000}, {"b", 1000}, {"tiny", 10, 100}}, options_of(1500, 1, 2));
  EXPECT_TRUE(shares[2].capped);
  EXPECT_DOUBLE_EQ(shares[2].epochs, 2);
  EXPECT_DOUBLE_EQ(shares[2].tokens, 20);
  EXPECT_DOUBLE_EQ(shares[0].tokens, 740);
  EXPECT_DOUBLE_EQ(shares[1].tokens, 740);
  // A cap may bring another source to its own.
  const auto chain =
      remix({{"a", 1000, 1, 9}, {"b", 100, 10, 6}, {"c", 10, 100, 1}}, options_of(1800));
  EXPECT_TRUE(chain[1].capped && chain[2].capped);
  EXPECT_DOUBLE_EQ(chain[0].tokens + chain[1].tokens + chain[2].tokens, 1800);
  EXPECT_DOUBLE_EQ(chain[1].epochs, 6);
}

// Sizes to the power of 50 are beyond a double's range, also between the two that stay uncapped.
TEST(Remix, LowTemperaturesStayFinite) {
  const auto shares = remix({{"a", 1e10}, {"b", 1e9}}, options_of(1e10, 0.02));
  EXPECT_DOUBLE_EQ(shares[0].share, 1);
  const auto capped =
      remix({{"a", 1e10, 1, 1}, {"b", 1e2, 1, 4}, {"c", 1e2, 1, 4}}, options_of(1e10 + 400, 0.01));
  EXPECT_TRUE(capped[0].capped);
  EXPECT_DOUBLE_EQ(capped[1].tokens, 200);
  EXPECT_DOUBLE_EQ(capped[2].tokens, 200);
}

TEST(Remix, WhatWasReadCountsForTheCap) {
  const auto shares =
      remix({{"a", 1000}, {"b", 100, 10, 3, 250}, {"c", 10, 1, 1, 12}}, options_of(500));
  EXPECT_TRUE(shares[1].capped && shares[2].capped);
  EXPECT_DOUBLE_EQ(shares[1].tokens, 50);
  EXPECT_DOUBLE_EQ(shares[2].tokens, 0) << "it was read more often already";
}

TEST(Remix, PhasesShareTheCaps) {
  const std::vector<RemixSource> sources = {{"a", 1000}, {"b", 100}};
  const auto parts = remix_phases(sources, {{0.5, {1, 20}}, {0.75, {0, 1}}}, options_of(440, 1, 3));
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_DOUBLE_EQ(parts[0][1].tokens, 20);  // of 220
  EXPECT_DOUBLE_EQ(parts[1][1].share, 2. / 3);
  EXPECT_NEAR(parts[1][1].tokens, 110 * 2. / 3, 1e-9);
  EXPECT_FALSE(parts[1][1].capped);
  EXPECT_DOUBLE_EQ(parts[2][1].tokens, 110);
  EXPECT_DOUBLE_EQ(parts[2][1].epochs, 1.1);
  const auto capped = remix_phases(sources, {{0.5, {1, 20}}}, options_of(880, 1, 3));
  EXPECT_TRUE(capped[1][1].capped);
  EXPECT_DOUBLE_EQ(capped[1][1].tokens, 300 - 40);
  EXPECT_DOUBLE_EQ(capped[1][0].tokens, 440 - 260);
}

// The sum of what three parts read of b is its cap but for the rounding of the last bit.
TEST(Remix, LessThanATokenIsNothingLeft) {
  const auto parts =
      remix_phases({{"a", 1e6}, {"b", 330}}, {{0.1, {1, 1}}, {0.4, {1, 1e4}}, {0.9, {1, 1e4}}},
                   options_of(1e6, 1, 2.7));
  EXPECT_TRUE(parts[2][1].capped);
  EXPECT_NEAR(parts[0][1].tokens + parts[1][1].tokens + parts[2][1].tokens, 2.7 * 330, 1e-9);
  EXPECT_EQ(parts[3][1].tokens, 0);
  EXPECT_EQ(parts[3][1].share, 0);
}

TEST(Remix, PhasesThatCannotBeAreNamed) {
  const std::vector<RemixSource> sources = {{"a", 1000}, {"b", 100}};
  const auto error = [&](const std::vector<RemixPhase>& phases) {
    return input_error_of([&] { remix_phases(sources, phases, options_of(880)); });
  };
  EXPECT_EQ(error({{0.5, {0, 1}}}),
            "the phase from 0.5 on: tokens: 440 are more than the 360 that the sources give at "
            "their most epochs; raise max-epochs, or add data");
  for (const auto& [first, second] :
       {std::pair(0.5, 0.5), std::pair(0.5, 0.2), std::pair(0.5, 1.0), std::pair(0.0, 0.5)}) {
    EXPECT_NE(error({{first, {1, 1}}, {second, {1, 1}}}).find("ascending shares between 0 and 1"),
              std::string::npos);
  }
}

TEST(Remix, RefusesWhatCannotBe) {
  EXPECT_EQ(input_error_of([] {
              remix({{"a", 100, 1, -2}}, options_of(5));
            }),
            "source 'a': cap -2 is not above 0");
  EXPECT_EQ(input_error_of([] {
              remix({{"a", 100}}, options_of(500));
            }),
            "tokens: 500 are more than the 400 that the sources give at their most epochs; raise "
            "max-epochs, or add data");
  EXPECT_EQ(input_error_of([] { remix({{"a", 0}}, options_of(5)); }), "source 'a': has no tokens");
  EXPECT_EQ(input_error_of([] { remix({{"a", 1}}, options_of(0)); }), "tokens: 0 is not above 0");
  EXPECT_EQ(input_error_of([] {
              remix({{"a", 1, -1}}, options_of(1));
            }),
            "source 'a': weight -1 must be 0 or more");
}

TEST(Remix, BoundsAreNamed) {
  const auto error = [](const RemixSource& source, const RemixOptions& options) {
    return input_error_of([&] { remix({source}, options); });
  };
  EXPECT_EQ(error({"a", 100}, options_of(400)), "no error") << "all that it gives";
  EXPECT_EQ(error({"a", 100, 0}, options_of(1)),
            "tokens: 1 are more than the 0 that the sources give at their most epochs; raise "
            "max-epochs, or add data");
  EXPECT_EQ(error({"a", 100, 1, 2, 150}, options_of(50)), "no error");
  EXPECT_EQ(error({"a", 100, 1, 2, 150}, options_of(51)),
            "tokens: 51 are more than the 50 that the sources give at their most epochs; raise "
            "max-epochs, or add data");
  EXPECT_EQ(error({"a", 100}, options_of(1, 0)), "temperature: 0 is not above 0");
  EXPECT_EQ(error({"a", 100}, options_of(1, NAN)), "temperature: nan is not above 0");
  EXPECT_EQ(error({"a", 100}, options_of(1, 1, 0)), "max-epochs: 0 is not above 0");
  EXPECT_EQ(error({"a", 100}, options_of(-1)), "tokens: -1 is not above 0");
  EXPECT_EQ(error({"a", NAN}, options_of(1)), "source 'a': has no tokens");
  EXPECT_EQ(error({"a", 100, INFINITY}, options_of(1)), "source 'a': weight inf must be 0 or more");
  EXPECT_EQ(error({"a", 100, NAN}, options_of(1)), "source 'a': weight nan must be 0 or more");
  EXPECT_EQ(error({"a", 100, 1, NAN}, options_of(1)), "source 'a': cap nan is not above 0");
}

TEST(Remix, ASourceWithoutWeightGivesNothing) {
  const auto shares = remix({{"a", 100}, {"b", 900, 0}}, options_of(400));
  EXPECT_DOUBLE_EQ(shares[0].share, 1);
  EXPECT_DOUBLE_EQ(shares[0].epochs, 4);
  EXPECT_FALSE(shares[0].capped) << "it reaches its cap and does not go beyond";
  EXPECT_EQ(shares[1].name, "b");
  EXPECT_EQ(shares[1].tokens, 0);
  EXPECT_EQ(shares[1].epochs, 0);
}

TEST(ReadingTable, HasARowForEachSource) {
  const std::vector<SourceShare> sources = {{"web", 2e6, 0.75, 5e6, " (capped)"},
                                            {"books", 400, 0.25, std::nullopt}};
  EXPECT_DOUBLE_EQ(sources[0].epochs(), 2.5);
  EXPECT_EQ(sources[1].epochs(), 0);
  EXPECT_EQ(reading_table(sources, "> "),
            "> source                   tokens       read    share   epochs\n"
            "> web                       2.00M      5.00M   0.7500    2.500 (capped)\n"
            "> books                       400              0.2500         \n");
}

}  // namespace
}  // namespace fathom
