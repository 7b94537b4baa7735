#include "scaling/rank_clock.h"

#include <gmock/gmock.h>

namespace fathom::scaling {
namespace {

using EventKind = StepEvent::Kind;

StepEvent compute(double seconds) {
  StepEvent event;
  event.seconds = seconds;
  return event;
}

StepEvent submit(int queue, std::int64_t ticket, double seconds, Link link = Link::node,
                 double contention = 0) {
  return {EventKind::submit, queue, ticket, seconds, 0, link, contention};
}

StepEvent wait(int queue, std::int64_t ticket) {
  return {EventKind::wait, queue, ticket, 0, 0, Link::node, 0};
}

StepEvent exchange(double seconds, Link link = Link::node) {
  return {EventKind::exchange, 0, 0, seconds, 0, link, 0};
}

RankClock after(const StepEvents& events) {
  RankClock clock;
  clock.run(events);
  return clock;
}

TEST(RankClock, ComputingHidesAQueuesWork) {
  const RankClock clock = after({submit(0, 1, 2), compute(3), wait(0, 1)});
  EXPECT_DOUBLE_EQ(clock.now(), 3);
  EXPECT_DOUBLE_EQ(clock.exposed(), 0);
}

TEST(RankClock, WaitsForTheRestOfAQueuesWork) {
  const RankClock clock = after({submit(0, 1, 2), submit(0, 2, 2), compute(3), wait(0, 2)});
  EXPECT_DOUBLE_EQ(clock.now(), 4);
  EXPECT_DOUBLE_EQ(clock.exposed(), 1);
}

TEST(RankClock, AnEarlierTicketIsWaitedForAlone) {
  const RankClock clock = after({submit(0, 1, 2), submit(0, 2, 5), wait(0, 1)});
  EXPECT_DOUBLE_EQ(clock.now(), 2);
  EXPECT_FALSE(clock.queues_are_empty());
}

TEST(RankClock, ComputingIsSlowerBesideAnExchange) {
  // 2 s of the exchange beside 1.5 s of computing at three quarters, then 1.5 s at full speed.
  const RankClock clock = after({submit(0, 1, 2, Link::node, 0.25), compute(3)});
  EXPECT_DOUBLE_EQ(clock.now(), 3.5);
}

TEST(RankClock, OfExchangesBesideIsTheOneThatSlowsMost) {
  // 2 s beside 1.5 s of computing at three quarters, whichever queue slows the most.
  for (const auto& [one, other] : {std::pair(0.25, 0.1), {0.1, 0.25}, {0.25, 0.25}, {0.25, 0.0}}) {
    const RankClock clock = after(
        {submit(0, 1, 2, Link::node, one), submit(1, 1, 2, Link::network, other), compute(3)});
    EXPECT_DOUBLE_EQ(clock.now(), 3.5) << one << " and " << other;
  }
}

TEST(RankClock, QueuesShareALink) {
  EXPECT_DOUBLE_EQ(after({submit(0, 1, 2), submit(1, 1, 2), wait(0, 1), wait(1, 1)}).now(), 4);
  EXPECT_DOUBLE_EQ(
      after({submit(0, 1, 2), submit(1, 1, 2, Link::network), wait(0, 1), wait(1, 1)}).now(), 2);
}

TEST(RankClock, ACollectiveOfTheComputingSharesTheLinkAndIsExposed) {
  const RankClock clock = after({submit(0, 1, 1), exchange(3)});
  EXPECT_DOUBLE_EQ(clock.now(), 4);
  EXPECT_DOUBLE_EQ(clock.exposed(), 4);
}

TEST(RankClock, ACollectiveOverTheNetworkLeavesTheNodesLinkAlone) {
  const RankClock clock = after({submit(0, 1, 2), exchange(3, Link::network), wait(0, 1)});
  EXPECT_DOUBLE_EQ(clock.now(), 3);
  EXPECT_DOUBLE_EQ(clock.exposed(), 3);
}

TEST(RankClock, QueuesGoOnWhileTheRankIsIdle) {
  RankClock clock = after({submit(0, 1, 2)});
  clock.idle_until(1.5);
  clock.run({wait(0, 1)});
  EXPECT_DOUBLE_EQ(clock.now(), 2);
  EXPECT_DOUBLE_EQ(clock.exposed(), 0.5);
}

TEST(RankClock, ProductsAreAsFastAsTheCardIsAndTheRestIsNot) {
  StepEvent event = compute(5);
  event.products = 3;
  RankClock clock(1.5);
  clock.run({event});
  EXPECT_DOUBLE_EQ(clock.now(), 2 + 2);
  EXPECT_DOUBLE_EQ(clock.computing(), 4);
  EXPECT_DOUBLE_EQ(clock.exposed(), 0);
}

// Slower beside an exchange, which waits and idling are not part of.
TEST(RankClock, CountsTheTimeOfItsComputing) {
  RankClock clock = after({submit(0, 1, 2, Link::node, 0.25), compute(3)});
  EXPECT_DOUBLE_EQ(clock.computing(), 3.5);
  clock.run({submit(0, 2, 2), wait(0, 2), exchange(1)});
  clock.idle_until(20);
  clock.exchange_until(21);
  EXPECT_DOUBLE_EQ(clock.computing(), 3.5);
  EXPECT_DOUBLE_EQ(clock.exposed(), 2 + 1 + 1);
  EXPECT_DOUBLE_EQ(clock.now(), 21);
  clock.idle_until(20);  // is over
  EXPECT_DOUBLE_EQ(clock.now(), 21);
  clock.skip(10, 2, 7);
  EXPECT_DOUBLE_EQ(clock.now(), 31);
  EXPECT_DOUBLE_EQ(clock.exposed(), 6);
  EXPECT_DOUBLE_EQ(clock.computing(), 10.5);
}

TEST(RankClock, WhatIsNotUnderWayIsNotWaitedFor) {
  RankClock clock = after({wait(3, 1), submit(1, 1, 2), wait(1, 2), wait(0, 1)});
  EXPECT_DOUBLE_EQ(clock.now(), 0);
  EXPECT_FALSE(clock.queues_are_empty());
  clock.run({wait(1, 1)});
  EXPECT_DOUBLE_EQ(clock.now(), 2);
  EXPECT_TRUE(clock.queues_are_empty());
}

// Three on one link, then two, then one.
TEST(RankClock, AQueueIsFasterWhenAnotherHasEnded) {
  EXPECT_DOUBLE_EQ(after({submit(0, 1, 1), submit(1, 1, 2), submit(2, 1, 3), wait(2, 1)}).now(), 6);
  EXPECT_DOUBLE_EQ(after({submit(0, 1, 1), submit(1, 1, 2), submit(2, 1, 3), wait(1, 1)}).now(), 5);
  EXPECT_DOUBLE_EQ(after({submit(0, 1, 1), submit(1, 1, 2), submit(2, 1, 3), wait(0, 1)}).now(), 3);
}

TEST(RankClock, TellsItsStretches) {
  std::vector<RankClock::Stretch> stretches;
  RankClock clock;
  clock.tell([&](const RankClock::Stretch& s) { stretches.push_back(s); });
  clock.run({submit(0, 1, 2), compute(1), wait(0, 1), exchange(1)});
  ASSERT_EQ(stretches.size(), 3);
  EXPECT_EQ(stretches[0].kind, RankClock::Stretch::Kind::queue);
  EXPECT_EQ(stretches[0].begin, 0);
  EXPECT_EQ(stretches[0].end, 2);
  EXPECT_EQ(stretches[1].kind, RankClock::Stretch::Kind::wait);
  EXPECT_EQ(stretches[1].begin, 1);
  EXPECT_EQ(stretches[2].kind, RankClock::Stretch::Kind::exchange);
  EXPECT_EQ(stretches[2].end, 3);
}

}  // namespace
}  // namespace fathom::scaling
