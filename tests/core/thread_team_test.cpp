#include "core/thread_team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/num_threads_scope.h"
#include "core/parallel.h"

namespace fathom {
namespace {

template <class F>
void run(ThreadTeam& team, int shares, F f) {
  team.run(shares, [](void* argument, int share) { (*static_cast<F*>(argument))(share); }, &f);
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
