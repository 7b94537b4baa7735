#include "data/ordered_pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <vector>

namespace fathom {
namespace {

// Weights that do not fit together, some of which fit alone only by themselves.
TEST(OrderedPipeline, HoldsNoMoreThanMayBeHeld) {
  constexpr std::size_t most = 100;
  const std::vector<std::size_t> weights = {40, 40, 40, 500, 30, 30, 30, 30, 1, 1, 1, 500, 500, 99};
  std::size_t next = 0, held = 0, largest = 0;
  std::mutex mutex;
  std::vector<std::size_t> order;
  run_ordered<std::size_t, std::size_t>(
      3,
      [&](std::size_t& weight) {
        if (next == weights.size()) return false;
        weight = weights[next++];
        return true;
      },
      [&](std::size_t&& weight) {
        const std::lock_guard lock(mutex);
        held += weight;  // from here until it is consumed, and so less than the pipeline holds
        EXPECT_TRUE(held <= most || held == weight) << held;
        largest = std::max(largest, held);
        return weight;
      },
      [&](std::size_t&& weight) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const std::lock_guard lock(mutex);
        held -= weight;
        order.push_back(weight);
      },
      [](std::size_t weight) { return weight; }, most);
  EXPECT_EQ(order, weights);
  EXPECT_EQ(largest, 500u);
}

TEST(OrderedPipeline, AnErrorEndsAProducerThatWaitsForRoom) {
  const auto run = [](auto work, auto consume) {
    run_ordered<int, int>(
        2, [](int&) { return true; }, work, consume, [](int) { return std::size_t{60}; }, 100);
  };
  const auto fail = [](int) -> int { throw std::runtime_error("broken"); };
  const auto pass = [](int) { return 0; };
  EXPECT_THROW(run(fail, [](int) {}), std::runtime_error);
  EXPECT_THROW(run(pass, [&](int) { fail(0); }), std::runtime_error);
}

// Whichever of the three fails at the sixth piece, the five before it are consumed, and no other.
TEST(OrderedPipeline, AnErrorComesAtItsPiecesTurn) {
  for (const int failing : {0, 1, 2}) {
    std::vector<int> consumed;
    int next = 0;
    const auto fail = [&](int stage, int piece) {
      if (stage == failing && piece == 5) throw std::runtime_error("broken");
    };
    EXPECT_THROW((run_ordered<int, int>(
                     3,
                     [&](int& piece) {
                       fail(0, piece = next++);
                       return piece < 50;
                     },
                     [&](int piece) { return fail(1, piece), piece; },
                     [&](int piece) {
                       fail(2, piece);
                       consumed.push_back(piece);
                     })),
                 std::runtime_error);
    EXPECT_EQ(consumed, (std::vector<int>{0, 1, 2, 3, 4})) << failing;
  }
}

TEST(OrderedPipeline, HoldsAtMostFourPiecesAThread) {
  for (const int threads : {1, 3}) {
    std::atomic<int> produced = 0, consumed = 0;
    int most = 0;
    run_ordered<int, int>(
        threads, [&](int& piece) { return (piece = produced++) < 60; },
        [](int piece) { return piece; },
        [&](int piece) {
          EXPECT_EQ(piece, consumed);
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          most = std::max(most, produced - consumed);
          ++consumed;
        });
    EXPECT_EQ(consumed, 60);
    // Besides them the one that is consumed, and the one that is produced.
    EXPECT_LE(most, 4 * threads + 2);
  }
}

TEST(OrderedPipeline, OfNothingIsNothing) {
  int consumed = 0;
  run_ordered<int, int>(
      2, [](int&) { return false; }, [](int piece) { return piece; }, [&](int) { ++consumed; });
  EXPECT_EQ(consumed, 0);
}

}  // namespace
}  // namespace fathom
