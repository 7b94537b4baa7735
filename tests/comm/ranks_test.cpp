// How ranks are started, and the world of one: collectives that do what they promise at no cost.
#include "comm/ranks.h"

#include <gmock/gmock.h>

#include <mutex>
#include <set>
#include <thread>

#include "comm/collectives_check.h"
#include "comm/world_of_one.h"
#include "core/error.h"

namespace fathom {
namespace {

using testing::HasSubstr;

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(RunRanks, StartsAsManyThreadsAsAskedFor) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::set<int> ranks;
  run_ranks(3, {30}, [&](Communicator& world) {
    require(world.size() == 3, "a world of {}", world.size());
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    ranks.insert(world.rank());
  });
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
  EXPECT_EQ(ranks, (std::set<int>{0, 1, 2}));
}

TEST(RunRanks, OneRankIsTheCallingThread) {
  run_ranks(1, {30}, [caller = std::this_thread::get_id()](Communicator& world) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(world.size(), 1);
    EXPECT_EQ(world.rank(), 0);
    EXPECT_EQ(world.timeout(), 30);
  });
  const auto fail = [](Communicator&) { fail_input("no such file"); };
  EXPECT_EQ(message_of([&] { run_ranks(1, {30}, fail); }), "no such file");
  EXPECT_THAT(message_of([&] { run_ranks(2, {30}, fail); }), testing::EndsWith(": no such file"));
}

TEST(WorldOfOne, CollectivesGiveItsOwnValues) {
  const auto world = world_of_one();
  EXPECT_EQ(check_collectives(*world), "");
  EXPECT_EQ(check_collectives(*world->split(7, "part")), "");
}

TEST(WorldOfOne, MovesNothingWhereFromAndToAreOne) {
  const auto world = world_of_one();
  Context context(cpu_device, 0);
  // Memory that cannot be read: touching it ends the program.
  const Tensor x(reinterpret_cast<void*>(64), DType::f32, {1 << 20});
  world->all_reduce(context, x);
  world->reduce_scatter(context, x, x);
  EXPECT_FALSE(world->begin_reduce_scatter(context, x, x));
  world->all_gather(context, x, x);
  world->broadcast(context, x, 0);
  world->open(cpu_device, {}, {});
  world->connect(cpu_device, {});
}

TEST(WorldOfOne, RefusesMessagesToItself) {
  const auto world = world_of_one();
  Context context(cpu_device, 0);
  float value = 1;
  const Tensor x(&value, DType::f32, {1});
  EXPECT_THAT(message_of([&] { world->send(context, x, 0, 0); }),
              HasSubstr("send to rank 0 by rank 0 of the 1 of 'world'"));
  EXPECT_THAT(message_of([&] { world->receive(context, x, 0, 0); }),
              HasSubstr("receive from rank 0 by rank 0"));
}

TEST(WorldOfOne, ThrowsOnceCancelled) {
  const auto world = world_of_one();
  world->throw_if_failed();
  world->cancel();
  EXPECT_EQ(message_of([&] { world->throw_if_failed(); }), "this rank has failed");
}

}  // namespace
}  // namespace fathom
