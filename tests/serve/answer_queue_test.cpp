// How many bytes an answer counts while its client has not taken it.
#include "serve/answer_queue.h"

#include <gtest/gtest.h>

namespace fathom::serve {
namespace {

class QueuedAnswer : public testing::Test {
 protected:
  static JobUpdate update(bool done = false) {
    JobUpdate update;
    update.done = done;
    return update;
  }

  asio::io_context network_;
  Metrics metrics_{"m"};
  ReplyBudget budget_{100, metrics_};
  AnswerQueue queue_{network_, budget_, {}};
};

// Updates count from push() to keep(), which replaces them by the size of the answer they became.
TEST_F(QueuedAnswer, CountsWhatTheClientHasNotGotOnce) {
  queue_.push(update(), 30);
  queue_.push(update(), 20);
  EXPECT_EQ(budget_.bytes(), 50u);
  EXPECT_EQ(queue_.queued_bytes(), 50u);
  EXPECT_EQ(queue_.take().size(), 2u);
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.queued_bytes(), 0u);
  queue_.push(update(), 10);  // before the two have become text
  EXPECT_EQ(budget_.bytes(), 60u);
  queue_.keep(15);
  EXPECT_EQ(budget_.bytes(), 25u);
  EXPECT_EQ(queue_.take().size(), 1u);
  queue_.keep(40);
  EXPECT_EQ(budget_.bytes(), 40u);
  queue_.keep(0);
  EXPECT_EQ(budget_.bytes(), 0u);
}

TEST_F(QueuedAnswer, AnAnswerThatIsTakenAsItComesMayBeOfAnyLength) {
  for (int i = 0; i < 50; ++i) {
    queue_.push(update(), 40);
    ASSERT_EQ(queue_.take().size(), 1u);
    queue_.keep(0);
    ASSERT_FALSE(queue_.dropped()) << i;
  }
}

TEST_F(QueuedAnswer, ADroppedAnswerHoldsNothing) {
  queue_.push(update(), 60);
  EXPECT_FALSE(queue_.dropped());
  queue_.push(update(), 41);
  EXPECT_TRUE(queue_.dropped());
  EXPECT_TRUE(queue_.empty());
  queue_.push(update(true), 1);
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(budget_.bytes(), 0u);
}

}  // namespace
}  // namespace fathom::serve
