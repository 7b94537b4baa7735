#include "align/answer_ranking.h"

#include <gmock/gmock.h>

namespace fathom {
namespace {

using testing::ElementsAre;

TEST(AnswerRanking, CompleteAnswersAreBetter) {
  const std::vector<AnswerSample> answers{{"cut", 30, false, false},
                                          {"good", 20, true, false},
                                          {"loop", 30, false, true},
                                          {"brief", 4, true, false}};
  EXPECT_THAT(scores_by_rule(answers, AnswerRule::complete), ElementsAre(1, 2, 0, 2));
  const auto pair = best_and_worst(answers, scores_by_rule(answers, AnswerRule::complete));
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->best, 1u);
  EXPECT_EQ(pair->worst, 2u);
  EXPECT_EQ(best_and_worst(answers, scores_by_rule(answers, AnswerRule::shorter))->best, 3u);
  EXPECT_EQ(best_and_worst(answers, scores_by_rule(answers, AnswerRule::longer))->best, 1u);
  // Length never makes up for completeness.
  const std::vector<AnswerSample> two{{"long", 1000, true, false}, {"cut", 1, false, false}};
  EXPECT_EQ(best_and_worst(two, scores_by_rule(two, AnswerRule::shorter))->best, 0u);
}

// Ending and not repeating count 1 each; the share of (the most tokens + 1) counts less than 1,
// also of the longest answer and of one without tokens.
TEST(AnswerRanking, LengthCountsLessThanCompleteness) {
  const std::vector<AnswerSample> answers{{"a", 3, true, false},
                                          {"b", 1, true, false},
                                          {"c", 0, true, true},
                                          {"d", 3, false, false},
                                          {"e", 2, false, true}};
  EXPECT_THAT(scores_by_rule(answers, AnswerRule::complete), ElementsAre(2, 2, 1, 1, 0));
  EXPECT_THAT(scores_by_rule(answers, AnswerRule::shorter), ElementsAre(1.25, 1.75, 1, 0.25, -0.5));
  EXPECT_THAT(scores_by_rule(answers, AnswerRule::longer), ElementsAre(2.75, 2.25, 1, 1.75, 0.5));
  const std::vector<AnswerSample> silent{{"", 0, true, false}};
  EXPECT_THAT(scores_by_rule(silent, AnswerRule::longer), ElementsAre(2));
}

// The first of equally good and of equally bad answers.
TEST(AnswerRanking, TheFirstOfEqualAnswersIsTaken) {
  const std::vector<AnswerSample> answers{
      {"w", 1, false, true}, {"b", 1, true, false}, {"b2", 1, true, false}, {"w2", 1, false, true}};
  const auto pair = best_and_worst(answers, scores_by_rule(answers, AnswerRule::complete));
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->best, 1u);
  EXPECT_EQ(pair->worst, 0u);
  EXPECT_THAT(enum_names(AnswerRule{}), ElementsAre("complete", "shorter", "longer"));
}

TEST(AnswerRanking, EqualAnswersMakeNoPair) {
  const std::vector<AnswerSample> same{{"a", 3, true, false}, {"a", 3, true, false}};
  const double scores[] = {1, 2};
  EXPECT_FALSE(best_and_worst(same, scores));
  const std::vector<AnswerSample> good{{"a", 3, true, false}, {"b", 4, true, false}};
  EXPECT_FALSE(best_and_worst(good, scores_by_rule(good, AnswerRule::complete)));
  EXPECT_FALSE(best_and_worst({}, {}));
  // An answer without text is no row that a run could read.
  const std::vector<AnswerSample> silent{{"", 0, true, false}, {"a", 3, true, false}};
  EXPECT_FALSE(best_and_worst(silent, scores));
}

}  // namespace
}  // namespace fathom
