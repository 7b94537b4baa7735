#include "core/thread_team.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/num_threads_scope.h"
#include "core/parallel.h"

namespace fathom {
namespace {

template <class F>
void run(ThreadTeam& team, int shares, F f) {
  team.run(
      shares, [](void* argument, int share) { (*static_cast<F*>(argument))(share); }, &f);
}

// Loops one after another, of other functions and sizes, each on memory of its own.
TEST(ThreadTeam, DoesEachShareOfEachLoopOnce) {
  ThreadTeam team(4);
  std::vector<std::thread> helpers;
  for (int i = 0; i < 3; ++i) helpers.emplace_back([&] { team.help(); });
  for (int loop = 0; loop < 20000; ++loop) {
    const int shares = loop % 9;
    std::vector<int> visits(9);
    if (loop % 2 == 0) {
      run(team, shares, [&](int share) { visits[share] += 1; });
    } else {
      run(team, shares, [&](int share) { visits[share] += 2; });
    }
    for (int share = 0; share < 9; ++share) {
      EXPECT_EQ(visits[share], share < shares ? 1 + loop % 2 : 0) << loop;
    }
  }
  team.release();
  for (std::thread& helper : helpers) helper.join();
}

// Helpers that found nothing for some time sleep, and wake for a loop that needs all of them.
TEST(ThreadTeam, WakesThoseWhoSleep) {
  ThreadTeam team(3);
  std::vector<std::jthread> helpers;
  for (int i = 0; i < 2; ++i) helpers.emplace_back([&] { team.help(); });
  for (int pause = 0; pause < 20; ++pause) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pause % 5));
    std::atomic<int> begun = 0;
    run(team, 3, [&](int) {
      ++begun;
      while (begun < 3) std::this_thread::yield();
    });
    EXPECT_EQ(begun, 3);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  team.release();  // also those who sleep
}

TEST(ThreadTeam, WaitsForNobodyWhoTookNothing) {
  ThreadTeam team(3);  // and none helps
  int visits = 0;
  run(team, 5, [&](int) { ++visits; });
  EXPECT_EQ(visits, 5);
}

TEST(ThreadTeam, TakesSharesToThoseWhoHelp) {
  ThreadTeam team(2);
  std::thread helper([&] { team.help(); });
  // Both are at work at once: each waits for the other to have begun.
  std::atomic<int> begun = 0;
  run(team, 2, [&](int) {
    ++begun;
    while (begun < 2) std::this_thread::yield();
  });
  EXPECT_EQ(begun, 2);
  team.release();
  helper.join();
}

TEST(ThreadTeam, PassesTheFirstErrorOnAndGoesOn) {
  ThreadTeam team(2);
  std::thread helper([&] { team.help(); });
  EXPECT_THROW(run(team, 8,
                   [](int share) {
                     if (share == 5) throw std::runtime_error("five");
                   }),
               std::runtime_error);
  std::atomic<int> visits = 0;
  run(team, 8, [&](int) { ++visits; });
  EXPECT_EQ(visits, 8);
  team.release();
  helper.join();
}

// A share's number has 16 bits.
TEST(ThreadTeam, TakesAsManySharesAsItsCounterHolds) {
  ThreadTeam team(1);
  EXPECT_EQ(team.threads(), 1);
  std::vector<int> visits(ThreadTeam::most_shares);
  run(team, ThreadTeam::most_shares, [&](int share) { ++visits[static_cast<std::size_t>(share)]; });
  EXPECT_EQ(std::ranges::count(visits, 1), std::ssize(visits));
  for (const int shares : {-1, ThreadTeam::most_shares + 1}) {
    try {
      run(team, shares, [](int) { FAIL() << "a share ran"; });
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "a loop of " + std::to_string(shares) + " shares");
    }
  }
}

// Of a loop all shares run, whatever the first ones throw; the error is told once.
TEST(ThreadTeam, DoesTheOtherSharesOfALoopThatFails) {
  ThreadTeam team(1);
  std::vector<int> done;
  const auto fail = [&](int share) {
    done.push_back(share);
    if (share == 1 || share == 3) throw std::runtime_error(std::to_string(share));
  };
  try {
    run(team, 5, fail);
    ADD_FAILURE() << "no error";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "1");
  }
  EXPECT_EQ(done, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_NO_THROW(run(team, 3, [](int) {}));
}

TEST(ReadyThreads, AreKnownOnTheirThreadOutsideOfLoops) {
  const NumThreadsScope threads(3);
  EXPECT_FALSE(threads_are_ready());
  with_ready_threads([] {
    EXPECT_TRUE(threads_are_ready());
    std::atomic<int> ready = 0;
    on_each_thread([&](int, int) { ready += threads_are_ready(); });
    EXPECT_EQ(ready, 0) << "a loop's shares have no others";
    std::thread([] { EXPECT_FALSE(threads_are_ready()); }).join();
    EXPECT_TRUE(threads_are_ready());
  });
  EXPECT_FALSE(threads_are_ready());
  const NumThreadsScope one(1);
  with_ready_threads([] { EXPECT_FALSE(threads_are_ready()) << "there are no others"; });
}

// A loop is cut finer, for the thread that is free first takes the next part.
TEST(ReadyThreads, TakeSmallerPartsOfALoop) {
  const NumThreadsScope threads(2);
  const auto parts_of = [](std::int64_t count, std::int64_t grain) {
    std::atomic<int> parts = 0;
    parallel_for(count, grain, [&](std::int64_t, std::int64_t) { ++parts; });
    return parts.load();
  };
  EXPECT_EQ(parts_of(100, 1), 2);
  with_ready_threads([&] {
    EXPECT_EQ(parts_of(100, 1), 8);
    EXPECT_EQ(parts_of(100, 20), 5);
    EXPECT_EQ(parts_of(100, 100), 1);
    EXPECT_EQ(parts_of(0, 1), 0);
    const NumThreadsScope one(1);
    EXPECT_EQ(parts_of(100, 1), 1);
  });
}

TEST(ReadyThreads, RunLoopsAsUsual) {
  const NumThreadsScope threads(3);
  bool ran = false;
  with_ready_threads([&] {
    ran = true;
    EXPECT_EQ(num_threads(), 3);
    for (const std::int64_t count : {0, 1, 5, 64, 1000}) {
      std::vector<int> visits(static_cast<std::size_t>(count));
      parallel_for(count, 8, [&](std::int64_t begin, std::int64_t end) {
        EXPECT_EQ(begin % 8, 0);
        if (end - begin < count) {
          EXPECT_EQ(num_threads(), 1) << "a loop inside";
        }
        for (auto i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (const int v : visits) EXPECT_EQ(v, 1);
    }
    std::atomic<int> shares = 0;
    on_each_thread([&](int, int all) {
      EXPECT_EQ(all, 3);
      ++shares;
    });
    EXPECT_EQ(shares, 3);
    with_ready_threads([&] { EXPECT_EQ(num_threads(), 3); });
    const NumThreadsScope one(1);
    EXPECT_EQ(num_threads(), 1);
  });
  EXPECT_TRUE(ran);
  EXPECT_EQ(num_threads(), 3);
}

TEST(ReadyThreads, OfTwoThreadsAtOnce) {
  std::atomic<int> sum = 0;
  const auto work = [&] {
    const NumThreadsScope threads(3);
    for (int step = 0; step < 20; ++step) {
      with_ready_threads([&] {
        for (int loop = 0; loop < 20; ++loop) on_each_thread([&](int, int) { ++sum; });
      });
    }
  };
  std::jthread other(work);
  work();
  other.join();
  EXPECT_EQ(sum, 2 * 20 * 20 * 3);
}

TEST(ReadyThreads, LeaveByAnException) {
  const NumThreadsScope threads(2);
  EXPECT_THROW(with_ready_threads([] { throw std::runtime_error("outside of a loop"); }),
               std::runtime_error);
  EXPECT_THROW(with_ready_threads([] {
                 parallel_for(100, 1, [](std::int64_t begin, std::int64_t) {
                   if (begin > 50) throw std::runtime_error("in a loop");
                 });
               }),
               std::runtime_error);
  int value = 0;
  with_ready_threads([&] { value = 1; });
  EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace fathom
