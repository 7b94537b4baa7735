// Means, ratios, differences and groups of scores with their errors, of values worked out by hand.
#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "eval/groups.h"

namespace fathom::eval {
namespace {

using Values = std::vector<double>;

TEST(Statistics, AMeanHasTheErrorOfItsSample) {
  const Estimate mean = mean_of(Values{1, 2, 3, 6});
  EXPECT_EQ(mean.value, 3);
  EXPECT_NEAR(mean.standard_error, std::sqrt(14.0 / 3 / 4), 1e-15);  // squares 4 + 1 + 0 + 9
  EXPECT_EQ(mean_of(Values{5, 5}).standard_error, 0);
  EXPECT_EQ(mean_of(Values{5}).value, 5);
  EXPECT_TRUE(std::isnan(mean_of(Values{5}).standard_error));
}

TEST(Statistics, ARatioIsOfTheSums) {
  const Estimate ratio = ratio_of_sums(Values{2, 2}, Values{1, 3});
  EXPECT_EQ(ratio.value, 1);
  EXPECT_NEAR(ratio.standard_error, 0.5, 1e-15);  // residuals 1 and -1, a mean of 2 below
  EXPECT_EQ(ratio_of_sums(Values{3}, Values{4}).value, 0.75);
  EXPECT_TRUE(std::isnan(ratio_of_sums(Values{3}, Values{4}).standard_error));
}

TEST(Statistics, ADifferenceIsOfPairs) {
  const auto difference = [](const Values& first, const Values& second) {
    return paired_difference(first, second);
  };
  const PairedDifference some = difference({0, 0, 0, 1}, {1, 1, 1, 0});
  EXPECT_EQ(some.difference.value, 0.5);
  EXPECT_NEAR(some.difference.standard_error, 0.5, 1e-15);
  EXPECT_NEAR(some.p_value, 0.3173105078629141, 1e-12);  // beyond one deviation, on both sides
  EXPECT_NEAR(difference({1, 1, 1, 0}, {0, 0, 0, 1}).p_value, 0.3173105078629141, 1e-12);
  // The same on every item: certain, unless it is none.
  for (const double step : {0.25, -2.0}) {
    const PairedDifference certain = difference({0, 1, 2}, {step, 1 + step, 2 + step});
    EXPECT_EQ(certain.difference.value, step);
    EXPECT_EQ(certain.difference.standard_error, 0);
    EXPECT_EQ(certain.p_value, 0);
  }
  EXPECT_EQ(difference({0, 1}, {0, 1}).p_value, 1);
  EXPECT_EQ(difference({0, 1}, {1, 0}).p_value, 1);
  // Of one item the error is not known.
  EXPECT_EQ(difference({0}, {1}).p_value, 1);
}

TaskResult result_of(const std::string& group, double weight, double score, double error) {
  TaskResult result;
  result.task.name = "t";
  result.task.group = group;
  result.task.weight = weight;
  result.task.metric = "acc";
  result.total["acc"] = {score, error};
  return result;
}

// Of g: (2 · 0.5 + 3 · 1) / 5, and the root of 4 · 0.09 + 9 · 0.16 over 5.
TEST(Statistics, AGroupHasTheWeightedErrorsOfItsTasks) {
  const auto groups = group_scores({result_of("g", 2, 0.5, 0.3), result_of("h", 0.5, 0.25, 0.125),
                                    result_of("", 1, 1, 1), result_of("g", 3, 1, 0.4)});
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].name, "g");
  EXPECT_EQ(groups[0].tasks, 2);
  EXPECT_NEAR(groups[0].estimate.value, 0.8, 1e-15);
  EXPECT_NEAR(groups[0].estimate.standard_error, std::sqrt(1.8) / 5, 1e-15);
  EXPECT_EQ(groups[1].name, "h");
  EXPECT_EQ(groups[1].tasks, 1);
  EXPECT_EQ(groups[1].estimate.value, 0.25);
  EXPECT_EQ(groups[1].estimate.standard_error, 0.125);
}

}  // namespace
}  // namespace fathom::eval
