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

}  // namespace
}  // namespace fathom
