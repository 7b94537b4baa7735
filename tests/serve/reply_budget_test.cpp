#include "serve/reply_budget.h"

#include <gmock/gmock.h>

namespace fathom::serve {
namespace {

using testing::HasSubstr;

TEST(ReplyBudget, DropsTheLargestAndCountsIt) {
  Metrics metrics("m");
  ReplyBudget budget(100, metrics);
  std::string dropped;
  ReplyBudget::Share a(budget, [&] { dropped += 'a'; }), b(budget, [&] { dropped += 'b'; }),
      c(budget, [&] { dropped += 'c'; });
  a.set(30);
  b.set(50);
  c.set(20);
  EXPECT_EQ(budget.bytes(), 100u);
  EXPECT_EQ(dropped, "");
  c.set(21);
  EXPECT_EQ(dropped, "b");
  EXPECT_TRUE(b.dropped());
  EXPECT_FALSE(c.dropped());
  EXPECT_EQ(budget.bytes(), 51u);
  b.set(1000);  // a dropped one counts no more
  EXPECT_EQ(budget.bytes(), 51u);
  a.set(80);
  EXPECT_EQ(dropped, "ba");
  EXPECT_EQ(budget.bytes(), 21u);
  EXPECT_THAT(metrics.text(), HasSubstr("\nfathom:answers_dropped_total 2\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("\nfathom:unsent_bytes 21\n"));
}

// One that is larger than all may be drops itself.
TEST(ReplyBudget, FreesWhatAnEndedAnswerTook) {
  Metrics metrics("m");
  ReplyBudget budget(100, metrics);
  int dropped = 0;
  {
    ReplyBudget::Share a(budget, [&] { ++dropped; });
    a.set(90);
  }
  EXPECT_EQ(budget.bytes(), 0u);
  ReplyBudget::Share b(budget, [&] { ++dropped; });
  b.set(90);
  EXPECT_EQ(dropped, 0);
  b.set(101);
  EXPECT_EQ(dropped, 1);
  EXPECT_EQ(budget.bytes(), 0u);
}

}  // namespace
}  // namespace fathom::serve
