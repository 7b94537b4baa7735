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
