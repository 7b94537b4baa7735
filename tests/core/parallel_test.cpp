#include "core/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "core/num_threads_scope.h"

namespace fathom {
namespace {

TEST(Parallel, EveryIndexIsVisitedOnceInWholeGrains) {
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    for (const std::int64_t count : {0, 1, 5, 64, 1000}) {
      std::vector<int> visits(count);
      parallel_for(count, 8, [&](std::int64_t begin, std::int64_t end) {
        EXPECT_EQ(begin % 8, 0);
        for (auto i = begin; i < end; ++i) ++visits[i];
      });
      for (const int v : visits) EXPECT_EQ(v, 1);
    }
  }
  set_num_threads(2);
}

TEST(Parallel, RangesAreFixedByTheirArguments) {
  const auto range = [](std::int64_t count, int thread, int threads, std::int64_t grain) {
    const Range r = split_range(count, thread, threads, grain);
    return std::pair(r.begin, r.end);
  };
  EXPECT_EQ(range(10, 0, 3, 1), std::pair(0l, 3l));
  EXPECT_EQ(range(10, 1, 3, 1), std::pair(3l, 6l));
  EXPECT_EQ(range(10, 2, 3, 1), std::pair(6l, 10l));
  EXPECT_EQ(range(100, 0, 2, 64), std::pair(0l, 64l));
  EXPECT_EQ(range(100, 1, 2, 64), std::pair(64l, 100l));
  EXPECT_EQ(range(1, 0, 2, 1), std::pair(0l, 0l));
}

TEST(Parallel, NestedLoopsAndShortOnesStayOnTheirThread) {
  set_num_threads(3);
  EXPECT_EQ(num_threads(), 3);
  std::atomic<int> shares = 0;
  on_each_thread([&](int, int threads) {
    EXPECT_EQ(threads, 3);
    EXPECT_EQ(num_threads(), 1);
    ++shares;
  });
  EXPECT_EQ(shares, 3);
  const auto caller = std::this_thread::get_id();
  parallel_for(8, 8, [&](std::int64_t begin, std::int64_t end) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 8);
  });
  set_num_threads(0);
  EXPECT_EQ(num_threads(), 1);
  set_num_threads(2);
}

TEST(Parallel, AnExceptionReachesTheCaller) {
  set_num_threads(3);
  EXPECT_THROW(on_each_thread([](int thread, int) {
                 if (thread == 1) throw std::runtime_error("x");
               }),
               std::runtime_error);
  set_num_threads(2);
}

// All shares run, and the caller hears of one of the errors.
TEST(Parallel, OtherSharesRunWhereOneThrows) {
  set_num_threads(3);
  std::atomic<int> ran = 0;
  EXPECT_THROW(on_each_thread([&](int, int) {
                 ++ran;
                 throw std::runtime_error("each");
               }),
               std::runtime_error);
  EXPECT_EQ(ran, 3);
  EXPECT_THROW(on_each_thread([](int, int) { throw std::runtime_error("alone"); }, 1),
               std::runtime_error);
  set_num_threads(2);
}

TEST(Parallel, AsManySharesAsAskedForRunWhateverTheNumberOfThreads) {
  set_num_threads(2);
  for (const int wanted : {1, 2, 5}) {
    std::vector<std::atomic<int>> visits(static_cast<std::size_t>(wanted));
    on_each_thread(
        [&](int share, int shares) {
          EXPECT_EQ(shares, wanted);
          ++visits[static_cast<std::size_t>(share)];
        },
        wanted);
    for (const auto& visit : visits) EXPECT_EQ(visit, 1);
  }
}

TEST(Parallel, NothingIsNoLoop) {
  for (const std::int64_t count : {0, -1, -100}) {
    parallel_for(count, 4, [](std::int64_t, std::int64_t) { FAIL() << "the body ran"; });
  }
}

TEST(Parallel, AScopeGivesTheNumberBack) {
  set_num_threads(2);
  {
    const NumThreadsScope three(3);
    EXPECT_EQ(num_threads(), 3);
    const NumThreadsScope one(1);
    EXPECT_EQ(num_threads(), 1);
  }
  EXPECT_EQ(num_threads(), 2);
}

// All set before any looks.
TEST(Parallel, EachThreadHasANumberOfItsOwn) {
  set_num_threads(2);
  std::barrier set(3);
  std::vector<int> seen(3), shares(3);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] {
        const NumThreadsScope scope(i + 1);
        set.arrive_and_wait();
        seen[std::size_t(i)] = num_threads();
        std::atomic<int> counted = 0;
        on_each_thread([&](int, int) { ++counted; });
        shares[std::size_t(i)] = counted;
      });
    }
  }
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(shares, seen);
  EXPECT_EQ(num_threads(), 2);
}

}  // namespace
}  // namespace fathom
