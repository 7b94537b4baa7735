// What groups take for their collectives: the sizes that they state, and the memory that is there
// for them, taken on a CPU as on a GPU.
#include "comm/exchange_memory.h"

#include <gmock/gmock.h>

#include <set>

#include "core/error.h"

namespace fathom {
namespace {

using testing::ThrowsMessage;

constexpr std::size_t mebi = std::size_t{1} << 20;

std::vector<CollectiveCapacity> capacities() {
  std::vector<CollectiveCapacity> all(5);
  all[1].bytes = 100 * mebi;
  all[2] = all[1];
  all[2].sums_beside = true;
  all[3] = {1 << 20, 0, 1000, 2000, 1, false};
  all[4] = {8000, 0, 3000, 2000, 7, true};
  return all;
}

TEST(ExchangeMemory, TakesTheBytesThatAreStated) {
  for (const ExchangeWay way : {ExchangeWay::one_gpu, ExchangeWay::peer_memory}) {
    for (const CollectiveCapacity& capacity : capacities()) {
      for (const int ranks : {2, 3, 8}) {
        EXPECT_EQ(ExchangeMemory(cpu_device, way, ranks, capacity).bytes(),
                  exchange_bytes(way, ranks, capacity));
      }
    }
  }
}

TEST(ExchangeMemory, IsOfWhatEachCollectiveNeeds) {
  const auto all = capacities();
  const auto bytes = [](ExchangeWay way, int ranks, const CollectiveCapacity& capacity) {
    return exchange_bytes(way, ranks, capacity);
  };
  EXPECT_EQ(bytes(ExchangeWay::peer_memory, 2, all[1]), 0u) << "read where they lie";
  // Half of 100 MiB is fetched in slots of a quarter, by whole lines of 256 bytes.
  EXPECT_EQ(bytes(ExchangeWay::peer_memory, 2, all[2]), 4 * (25 * mebi / 2));
  EXPECT_EQ(bytes(ExchangeWay::one_gpu, 2, all[2]), 0u);
  EXPECT_EQ(bytes(ExchangeWay::peer_memory, 3, all[3]), 1000u + 4 * 2 * 2000) << "at least 4";
  EXPECT_EQ(bytes(ExchangeWay::peer_memory, 3, all[4]), 3000u + 7 * 2 * 2000 + 4 * 2 * (2 * mebi));
  EXPECT_EQ(bytes(ExchangeWay::one_gpu, 3, all[3]), 2000u) << "the sum begun is displaced";
  EXPECT_EQ(bytes(ExchangeWay::nccl, 8, all[4]), 256 * mebi);
  for (const ExchangeWay way : {ExchangeWay::host_memory, ExchangeWay::one_gpu,
                                ExchangeWay::peer_memory, ExchangeWay::nccl}) {
    EXPECT_EQ(bytes(way, 1, all[4]), 0u) << "one rank exchanges nothing";
  }
}

// A bound: of what waits in mailboxes and of one rank's sum.
TEST(ExchangeMemory, OfTheHostIsWhatMessagesAndSumsTake) {
  CollectiveCapacity capacity;
  capacity.bytes = 100 * mebi;
  const std::size_t bytes = exchange_bytes(ExchangeWay::host_memory, 4, capacity);
  EXPECT_EQ(bytes, 2 * 100 * mebi + 4 * 25 * mebi);
  capacity.broadcast_bytes = 10;
  EXPECT_EQ(exchange_bytes(ExchangeWay::host_memory, 4, capacity), bytes + 3 * 10);
  // Small tensors go whole to every rank.
  capacity = {.bytes = 8};
  EXPECT_EQ(exchange_bytes(ExchangeWay::host_memory, 4, capacity), 2u * 3 * 8 + 4 * 8);
  // Up to 16 KiB, of which three times as much is more than any of 48 KiB.
  for (const std::size_t kibi : {16, 17, 40}) {
    capacity = {.bytes = kibi << 10};
    EXPECT_EQ(exchange_bytes(ExchangeWay::host_memory, 4, capacity), (2u * 3 * 16 + 4 * 16) << 10);
  }
  capacity = {.bytes = 400 << 10};
  EXPECT_EQ(exchange_bytes(ExchangeWay::host_memory, 4, capacity), (2u * 400 + 4 * 100) << 10);
  // The largest part of 100,001 numbers over four ranks has 25,001.
  capacity = {.bytes = 100'001 * 4};
  EXPECT_EQ(exchange_bytes(ExchangeWay::host_memory, 4, capacity),
            2u * 100'001 * 4 + 4 * 25'001 * 4);
}

// A fourth of what is fetched, in whole lines of 256 bytes: from each rank 2 MiB at least, and of
// all others together 64 MiB at most.
TEST(ExchangeMemory, SlotsOfFetchedPartsAreNeitherSmallNorLarge) {
  using exchange::fetch_bytes;
  for (const std::size_t small : {std::size_t{0}, std::size_t{1}, 8 * mebi, 8 * mebi + 3}) {
    EXPECT_EQ(fetch_bytes(small, 2), 2 * mebi);
  }
  EXPECT_EQ(fetch_bytes(8 * mebi + 4, 2), 2 * mebi + 256);
  EXPECT_EQ(fetch_bytes(8 * mebi + 4 * 256, 2), 2 * mebi + 256);
  EXPECT_EQ(fetch_bytes(8 * mebi + 4 * 257, 2), 2 * mebi + 512);
  EXPECT_EQ(fetch_bytes(256 * mebi, 2), 64 * mebi);
  EXPECT_EQ(fetch_bytes(1000 * mebi, 2), 64 * mebi);
  EXPECT_EQ(fetch_bytes(1000 * mebi, 5), 16 * mebi);
  EXPECT_EQ(fetch_bytes(1000 * mebi, 4), 64 * mebi / 3 / 256 * 256 + 256) << "of three others";
  EXPECT_EQ(fetch_bytes(1000 * mebi, 33), 2 * mebi);
  EXPECT_EQ(fetch_bytes(1000 * mebi, 65), 2 * mebi) << "the least wins";
}

TEST(ExchangeMemory, PlacesForBegunSumsAreFourAtLeastWhereThereAreAny) {
  const auto places = [](ExchangeWay way, int begun) {
    return exchange::begun_places(way, {.begun_bytes = 100, .begun = begun});
  };
  for (const auto& [begun, expected] : {std::pair(0, 0), {1, 4}, {4, 4}, {5, 5}, {40, 40}}) {
    EXPECT_EQ(places(ExchangeWay::peer_memory, begun), expected);
    EXPECT_EQ(places(ExchangeWay::one_gpu, begun), 0);
    EXPECT_EQ(places(ExchangeWay::nccl, begun), 0);
  }
  EXPECT_EQ(exchange::begun_bytes(4, {.begun_bytes = 100}), 300u);
  EXPECT_EQ(exchange::displaced_bytes(ExchangeWay::peer_memory,
                                      {.displaced_bytes = 10, .begun_bytes = 100}),
            10u);
  for (const auto& [displaced, begun] : {std::pair(10, 100), {100, 10}}) {
    EXPECT_EQ(
        exchange::displaced_bytes(ExchangeWay::one_gpu, {.displaced_bytes = std::size_t(displaced),
                                                         .begun_bytes = std::size_t(begun)}),
        100u);
  }
}

TEST(ExchangeMemory, OfARouteIsItsSendersCopies) {
  const RouteCapacity route{1000, 3};
  EXPECT_EQ(exchange_bytes(ExchangeWay::peer_memory, RouteEnd::sender, route), 3000u);
  EXPECT_EQ(exchange_bytes(ExchangeWay::peer_memory, RouteEnd::receiver, route), 0u);
  EXPECT_EQ(exchange_bytes(ExchangeWay::nccl, RouteEnd::receiver, route), 32 * mebi);
  for (const ExchangeWay way : {ExchangeWay::host_memory, ExchangeWay::one_gpu}) {
    EXPECT_EQ(exchange_bytes(way, RouteEnd::sender, route), 3000u);
    EXPECT_EQ(exchange_bytes(way, RouteEnd::receiver, route), 0u);
  }
  EXPECT_EQ(exchange_bytes(ExchangeWay::nccl, RouteEnd::sender, route) - 3000,
            exchange_bytes(ExchangeWay::nccl, RouteEnd::receiver, route));
}

TEST(ExchangeMemory, RefusesMoreWithBothSizes) {
  ExchangeMemory memory(cpu_device, ExchangeWay::peer_memory, 3, {8000, 0, 12, 20, 1, true});
  std::vector<float> values(4);
  const Tensor fits(values.data(), DType::f32, {3}), large(values.data(), DType::f32, {4});
  EXPECT_EQ(memory.displaced(fits).bytes(), 12u);
  EXPECT_THAT([&] { memory.displaced(large); },
              ThrowsMessage<Error>("a sum of 16 bytes in another rank's place, where the group has "
                                   "room for 12"));
  EXPECT_NE(memory.fetched(4 * mebi), nullptr);
  EXPECT_THAT([&] { memory.fetched(4 * mebi + 1); },
              ThrowsMessage<Error>("a sum beside the computing fetches 16777220 bytes, where the "
                                   "group has room for 16777216"));
  EXPECT_THAT([&] { memory.begin(41); },
              ThrowsMessage<Error>("a sum that begins with 41 bytes, where the group has room for "
                                   "40"));
}

// The host frees a place before the GPU has read it: the next sum takes another one.
TEST(ExchangeMemory, BegunSumsTakeThePlaceThatHasBeenFreeLongest) {
  ExchangeMemory memory(cpu_device, ExchangeWay::peer_memory, 2, {8000, 0, 0, 20, 1, false});
  std::vector<std::shared_ptr<BegunSum>> begun;
  for (int i = 0; i < 4; ++i) {
    begun.push_back(memory.begin(20));
    begun.back()->taken = false;
  }
  EXPECT_EQ(std::set(begun.begin(), begun.end()).size(), 4u) << "each another one";
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(memory.begin(20), begun[std::size_t(i)]);
  }
  EXPECT_THAT([&] { memory.begin(20); },
              ThrowsMessage<Error>("more than the 4 sums that the group has room for have begun"));
  begun[2]->taken = false;
  EXPECT_EQ(memory.begin(20), begun[2]);
}

TEST(CollectiveCapacity, TheLargerHoldsBoth) {
  const CollectiveCapacity a{1, 20, 3, 40, 5, false}, b{10, 2, 30, 4, 50, true};
  EXPECT_EQ(larger(a, b), (CollectiveCapacity{10, 20, 30, 40, 50, true}));
  EXPECT_EQ(larger(b, a), larger(a, b));
}

TEST(CollectiveCapacity, APartIsDisplacedWhereOthersReadIt) {
  std::vector<float> values(8), other(4);
  const Tensor from(values.data(), DType::f32, {8});
  EXPECT_FALSE(is_displaced(from, from.slice(4, 4), 1)) << "its own part";
  EXPECT_TRUE(is_displaced(from, from.slice(4, 4), 0));
  EXPECT_TRUE(is_displaced(from, from.slice(0, 4), 1));
  EXPECT_TRUE(is_displaced(from, from.slice(2, 4), 0));
  EXPECT_FALSE(is_displaced(from, Tensor(other.data(), DType::f32, {4}), 0));
  std::vector<float> around(16);
  const Tensor all(around.data(), DType::f32, {16}), middle = all.slice(4, 8);
  for (const auto& [begin, displaced] : {std::pair(0, false),
                                         {1, true},
                                         {3, true},
                                         {4, false},
                                         {5, true},
                                         {11, true},
                                         {12, false}}) {
    EXPECT_EQ(is_displaced(middle, all.slice(begin, 4), 0), displaced) << "from " << begin;
  }
}

}  // namespace
}  // namespace fathom
