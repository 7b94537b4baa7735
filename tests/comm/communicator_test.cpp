// Collectives over thread ranks against sums done by hand, and what happens when a
// rank fails or is missing. `mpi_ranks` runs the same collectives under mpirun.
#include "comm/communicator.h"

#include <gmock/gmock.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "comm/collectives_check.h"
#include "comm/echo_group.h"
#include "comm/planned_group.h"
#include "comm/thread_ranks.h"
#include "comm/world_of_one.h"
#include "core/error.h"
#include "core/trace.h"

namespace fathom {
namespace {

TEST(Communicator, CollectivesGiveTheSumsInRankOrder) {
  for (const int ranks : {1, 2, 3, 5}) {
    run_thread_ranks(ranks, {30}, [](Communicator& world) {
      const std::string wrong = check_collectives(world);
      if (!wrong.empty()) fail_runtime("{}", wrong);
    });
  }
}

TEST(Communicator, SplitGroupsKeepApart) {
  run_thread_ranks(6, {30}, [](Communicator& world) {
    const int row = world.rank() / 3, column = world.rank() % 3;
    const auto rows = world.split(row, "row");
    const auto columns = world.split(column, "column");
    require(rows->size() == 3 && rows->rank() == column, "rank {} of its row", rows->rank());
    require(columns->size() == 2 && columns->rank() == row, "rank {} of its column",
            columns->rank());
    const std::vector<int> in_row = gather_values(*rows, world.rank());
    require(in_row == std::vector<int>({3 * row, 3 * row + 1, 3 * row + 2}), "row {} is mixed",
            row);
    require(columns->name_of(1) == fmt::format("rank {}", 3 + column), "named {}",
            columns->name_of(1));
    const std::string wrong = check_collectives(*rows);
    if (!wrong.empty()) fail_runtime("{}", wrong);
  });
}

// Also empty ones, and zeros within a text.
TEST(Communicator, TextsOfAnyLengthAreGathered) {
  const std::vector<std::string> texts{std::string(3000, 'x'), "of rank 1", "",
                                       std::string("a\0b", 3)};
  for (const int ranks : {1, 2, 4}) {
    run_thread_ranks(ranks, {30}, [&](Communicator& world) {
      const std::vector<std::string> expected(texts.begin(), texts.begin() + world.size());
      const std::string& own = texts[static_cast<std::size_t>(world.rank())];
      require(gather_texts(world, own) == expected, "{} ranks mix their texts", world.size());
      const std::vector<std::string> nothing(expected.size());
      require(gather_texts(world, "") == nothing, "nothing has become something");
    });
  }
}

std::string failure_of(int ranks, double timeout, const std::function<void(Communicator&)>& body) {
  try {
    run_thread_ranks(ranks, {timeout}, body);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Communicator, AFailedRankTakesTheOthersDownWithItsMessage) {
  const auto start = std::chrono::steady_clock::now();
  std::string seen_by_another;
  const std::string message = failure_of(3, 60, [&](Communicator& world) {
    if (world.rank() == 1) fail_input("no such file");
    try {
      world.barrier();
    } catch (const Error& error) {
      if (world.rank() == 2) seen_by_another = error.what();
      throw;
    }
  });
  EXPECT_EQ(message, "rank 1: no such file");
  EXPECT_EQ(seen_by_another, "rank 1: no such file");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(Communicator, AMissingRankIsNamed) {
  const std::string message = failure_of(3, 0.3, [](Communicator& world) {
    world.name_ranks({"rank 0", "rank 1", "rank 2 (pp 1, dp 0, tp 0)"});
    Context context(cpu_device, 0);
    float value = 1;
    if (world.rank() == 2) std::this_thread::sleep_for(std::chrono::seconds(1));
    if (world.rank() != 2) world.all_reduce(context, Tensor(&value, DType::f32, {1}));
  });
  EXPECT_NE(message.find("all_reduce in the group 'world' waited 0.3 s for rank 2 (pp 1, dp 0, "
                         "tp 0): it hangs"),
            std::string::npos)
      << message;
}

TEST(Communicator, GroupsThatAreSplitOffKeepTheTimeout) {
  const std::string message = failure_of(4, 0.3, [](Communicator& world) {
    const auto pair = world.split(world.rank() / 2, "pair");
    if (world.rank() == 2) pair->barrier();
  });
  EXPECT_THAT(message, testing::StartsWith("rank 2: barrier in the group 'pair' waited 0.3 s for "
                                           "rank 3: it hangs"));
}

TEST(Communicator, ATimeoutIsOfItsGroupAndOfThoseThatAreSplitOffLater) {
  const std::string message = failure_of(2, 60, [](Communicator& world) {
    const auto group = world.split(0, "short");
    group->set_timeout(0.2);
    const auto part = group->split(0, "part of it");
    if (world.rank() == 0) part->barrier();
  });
  EXPECT_THAT(message, testing::HasSubstr("in the group 'part of it' waited 0.2 s for rank 1"));
}

// A day, unless the ranks have more time anyway.
TEST(PatientWaits, LastADayAtLeastAndNoLongerThanTheyLive) {
  for (const auto& [usual, patient] :
       {std::pair(0.5, 86400.0), {86399.0, 86400.0}, {86400.0, 86400.0}, {172800.0, 172800.0}}) {
    const auto world = world_of_one({usual});
    EXPECT_EQ(world->timeout(), usual);
    {
      const PatientWaits waits(*world);
      EXPECT_EQ(world->timeout(), patient);
      {
        const PatientWaits within(*world);
        EXPECT_EQ(world->timeout(), patient);
      }
      EXPECT_EQ(world->timeout(), patient);
    }
    EXPECT_EQ(world->timeout(), usual);
  }
}

// Patience is of one group alone, and ends with the barrier behind the disks' work.
TEST(PatientWaits, AreOfOneGroup) {
  run_thread_ranks(2, {30}, [](Communicator& world) {
    const auto group = world.split(0, "group");
    const PatientWaits patient(*group);
    require(world.timeout() == 30, "the world waits {} s", world.timeout());
    wait_for_disks(world);
    require(world.timeout() == 30, "afterwards the world waits {} s", world.timeout());
    require(group->split(0, "part")->timeout() == 86400, "a part is less patient");
  });
}

// Sums of whole numbers are exact, and the largest of negative numbers is not 0.
TEST(Communicator, ReducesWholeNumbersAndNegativeOnes) {
  constexpr std::int32_t large = (1 << 30) - 1;
  for (const std::int64_t count : {1, 4095, 4096, 4097}) {
    run_thread_ranks(2, {30}, [count](Communicator& world) {
      Context context(cpu_device, 0);
      std::vector<std::int32_t> whole(static_cast<std::size_t>(count), world.rank() ? 1 : large);
      world.all_reduce(context, view(whole));
      require(std::ranges::count(whole, large + 1) == count, "a sum of {}", whole.back());
      const float mine = world.rank() ? -2.0f : -1.5f;
      std::vector<float> negative(static_cast<std::size_t>(count), mine);
      world.all_reduce(context, view(negative), Reduction::max);
      require(std::ranges::count(negative, -1.5f) == count, "a maximum of {}", negative.back());
    });
  }
}

TEST(Communicator, EveryRankMayBeTheRoot) {
  run_thread_ranks(3, {30}, [](Communicator& world) {
    Context context(cpu_device, 0);
    for (int root = 0; root < 3; ++root) {
      std::vector<std::int32_t> x(5, world.rank());
      world.broadcast(context, view(x), root);
      require(x == std::vector<std::int32_t>(5, root), "{} from {}", x[0], root);
    }
  });
}

TEST(Communicator, MessagesGoToOtherRanksOfTheGroup) {
  run_thread_ranks(2, {5}, [](Communicator& world) {
    Context context(cpu_device, 0);
    float value = 1;
    const Tensor x(&value, DType::f32, {1});
    for (const int other : {-1, 2, world.rank()}) {
      const std::string end =
          fmt::format("rank {} by rank {} of the 2 of 'world'", other, world.rank());
      EXPECT_THAT([&] { world.send(context, x, other, 0); },
                  testing::ThrowsMessage<Error>("send to " + end));
      EXPECT_THAT([&] { world.receive(context, x, other, 0); },
                  testing::ThrowsMessage<Error>("receive from " + end));
    }
  });
}

// One message is larger than what the other rank has room for.
TEST(Communicator, AMessageOfAnotherSizeIsRefusedWithBoth) {
  const std::string message = failure_of(2, 5, [](Communicator& world) {
    Context context(cpu_device, 0);
    std::vector<float> values(3);
    const Tensor x = view(values);
    if (world.rank() == 0) return world.send(context, x, 1, 4);
    world.receive(context, x.slice(0, 2), 0, 4);
  });
  EXPECT_EQ(message,
            "rank 1: receive in the group 'world': rank 0 sent 12 bytes where rank 1 wants 8");
}

// A message may be sent before the timeout of the one who takes it has begun, and in any order of
// the tags.
TEST(Communicator, MessagesOfATagKeepTheirOrder) {
  run_thread_ranks(2, {30}, [](Communicator& world) {
    Context context(cpu_device, 0);
    std::int32_t value = 0;
    const Tensor x(&value, DType::i32, {1});
    if (world.rank() == 0) {
      for (const auto& [tag, sent] : {std::pair(0, 1), {1, 10}, {0, 2}, {1, 20}, {0, 3}}) {
        value = sent;
        world.send(context, x, 1, tag);
      }
      return;
    }
    for (const auto& [tag, expected] : {std::pair(1, 10), {0, 1}, {0, 2}, {1, 20}, {0, 3}}) {
      world.receive(context, x, 0, tag);
      require(value == expected, "{} of tag {} where {} was sent", value, tag, expected);
    }
  });
}

// As a rank does that looks in between its own work.
TEST(Communicator, ARankThatDoesNotWaitHearsOfAFailureToo) {
  const std::string message = failure_of(2, 60, [](Communicator& world) {
    if (world.rank() == 0) fail_runtime("out of luck");
    while (true) {
      world.throw_if_failed();
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(message, "rank 0: out of luck");
}

// Of exceptions that are no Errors the message is kept; the kind of an Error is.
TEST(Communicator, TheJobsErrorIsOfTheKindThatTheRankThrew) {
  const auto kind_of = [](const std::function<void()>& fail) {
    try {
      run_thread_ranks(2, {5}, [&](Communicator& world) {
        if (world.rank() == 1) fail();
      });
    } catch (const Error& error) {
      return std::pair(error.kind(), std::string(error.what()));
    }
    return std::pair(ErrorKind::input, std::string("no error"));
  };
  EXPECT_EQ(kind_of([] { fail_input("wrong"); }),
            std::pair(ErrorKind::input, std::string("rank 1: wrong")));
  EXPECT_EQ(kind_of([] { fail_runtime("broken"); }),
            std::pair(ErrorKind::runtime, std::string("rank 1: broken")));
  EXPECT_EQ(kind_of([] { throw std::out_of_range("beyond"); }),
            std::pair(ErrorKind::runtime, std::string("rank 1: beyond")));
}

TEST(Communicator, AJobHasAtLeastOneRank) {
  for (const int ranks : {0, -1}) {
    EXPECT_EQ(failure_of(ranks, 5, [](Communicator&) { FAIL() << "a rank was started"; }),
              fmt::format("a job of {} ranks", ranks));
  }
  int started = 0;
  EXPECT_EQ(failure_of(1, 5, [&](Communicator& world) { started += world.size(); }), "no error");
  EXPECT_EQ(started, 1);
}

TEST(Communicator, TypesThatCannotBeReducedAreRefusedByName) {
  for (const DType dtype : {DType::u32, DType::u16, DType::u8}) {
    for (const std::string operation : {"all_reduce", "reduce_scatter"}) {
      const std::string message = failure_of(2, 5, [&](Communicator& world) {
        Context context(cpu_device, 0);
        std::array<std::uint32_t, 4> values{};
        const Tensor x(values.data(), dtype, {4});
        if (operation == "all_reduce") return world.all_reduce(context, x);
        world.reduce_scatter(context, x, x.slice(0, 2));
      });
      EXPECT_THAT(message,
                  testing::HasSubstr(fmt::format("{} in the group 'world': ranks cannot reduce {}",
                                                 operation, name_of(dtype))));
    }
  }
}

TEST(Communicator, TensorsOfDifferentSizesAreRefused) {
  const std::string message = failure_of(2, 5, [](Communicator& world) {
    Context context(cpu_device, 0);
    std::vector<float> values(static_cast<std::size_t>(world.rank() + 1));
    world.all_reduce(context, Tensor(values.data(), DType::f32, {world.rank() + 1}));
  });
  EXPECT_NE(message.find("bytes where rank"), std::string::npos) << message;
}

TEST(Communicator, PartsOfAnotherTypeOrSizeAreRefused) {
  run_thread_ranks(2, {5}, [](Communicator& world) {
    Context context(cpu_device, 0);
    std::vector<float> values(4);
    const auto with = [&](DType type, std::int64_t count) {
      return Tensor(values.data(), type, {count});
    };
    const Tensor x = with(DType::f32, 4);
    for (const Tensor& part : {with(DType::i32, 2), with(DType::f32, 1)}) {
      EXPECT_THAT([&] { world.reduce_scatter(context, x, part); },
                  testing::ThrowsMessage<Error>(testing::HasSubstr("reduce_scatter of")));
      EXPECT_THAT([&] { world.all_gather(context, part, x); },
                  testing::ThrowsMessage<Error>(testing::HasSubstr("all_gather of")));
    }
    EXPECT_THAT([&] { world.name_ranks({"one"}); },
                testing::ThrowsMessage<Error>("1 names for the 2 ranks of 'world'"));
  });
}

TEST(Communicator, ACancelledRankThrowsOutOfWhatItWaitsFor) {
  run_thread_ranks(2, {60}, [](Communicator& world) {
    const auto group = world.split(0, "group");
    if (world.rank() == 0) {
      group->cancel();
      EXPECT_THAT([&] { group->barrier(); }, testing::ThrowsMessage<Error>("this rank has failed"));
    }
    world.barrier();
  });
}

TEST(Communicator, TheFirstFailureIsTheJobs) {
  EXPECT_EQ(failure_of(2, 60,
                       [](Communicator& world) {
                         if (world.rank() == 0) fail_input("no such file");
                         try {
                           world.barrier();
                         } catch (const Error&) {
                           fail_runtime("what came of it");
                         }
                       }),
            "rank 0: no such file");
}

// While it lives, new threads get stacks that no address space holds.
class HugeStacks {
 public:
  HugeStacks() {
    pthread_getattr_default_np(&before_);
    pthread_attr_init(&huge_);
    pthread_attr_setstacksize(&huge_, std::size_t{1} << 50);
    pthread_setattr_default_np(&huge_);
  }
  ~HugeStacks() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
    pthread_attr_destroy(&huge_);
  }
  HugeStacks(const HugeStacks&) = delete;
  HugeStacks& operator=(const HugeStacks&) = delete;

 private:
  pthread_attr_t before_{}, huge_{};
};

TEST(Communicator, AThreadThatCannotStartIsAnError) {
  const HugeStacks stacks;
  EXPECT_THAT(failure_of(3, 60, [](Communicator&) {}),
              testing::StartsWith("cannot start a thread for rank 0 of 3: "));
}

// What rank 0 of two says to a collective in a group that is connected for such ones.
std::string refusal(const CollectiveCapacity& capacity,
                    const std::function<void(Communicator&, Context&, Tensor)>& collective) {
  std::string message = "no error";
  run_thread_ranks(2, {5}, [&](Communicator& world) {
    world.connect(cpu_device, capacity);
    Context context(cpu_device, 0);
    std::vector<float> values(8);
    if (world.rank() == 1) return;
    try {
      collective(world, context, Tensor(values.data(), DType::f32, {8}));
    } catch (const Error& error) {
      message = error.what();
    }
  });
  return message;
}

TEST(Communicator, CollectivesBeyondTheCapacityAreRefusedWithBothSizes) {
  const CollectiveCapacity exact{32, 32, 16, 16, 1, true};
  const auto limited = [&](auto field, std::size_t bytes) {
    CollectiveCapacity capacity = exact;
    capacity.*field = bytes;
    return capacity;
  };
  using C = CollectiveCapacity;
  EXPECT_EQ(refusal(limited(&C::bytes, 31),
                    [](Communicator& g, Context& c, Tensor x) { g.all_reduce(c, x); }),
            "all_reduce of 32 bytes in the group 'world', which is connected for 31");
  EXPECT_EQ(refusal(limited(&C::bytes, 31),
                    [](auto& g, Context& c, Tensor x) { g.all_gather(c, x.slice(0, 4), x); }),
            "all_gather of 32 bytes in the group 'world', which is connected for 31");
  EXPECT_EQ(refusal(limited(&C::broadcast_bytes, 31),
                    [](auto& g, Context& c, Tensor x) { g.broadcast(c, x, 0); }),
            "broadcast of 32 bytes in the group 'world', which is connected for 31");
  const auto scatter = [](int at) {
    return [at](auto& g, Context& c, Tensor x) { g.reduce_scatter(c, x, x.slice(at, 4)); };
  };
  EXPECT_EQ(refusal(limited(&C::bytes, 31), scatter(0)),
            "reduce_scatter of 32 bytes in the group 'world', which is connected for 31");
  EXPECT_EQ(refusal(limited(&C::displaced_bytes, 15), scatter(4)),
            "reduce_scatter to another rank's place of 16 bytes in the group 'world', which is "
            "connected for 15");
  const auto begin = [](auto& g, Context& c, Tensor x) {
    g.begin_reduce_scatter(c, x, x.slice(0, 4));
  };
  EXPECT_EQ(refusal(limited(&C::bytes, 31), begin),
            "begin_reduce_scatter of 32 bytes in the group 'world', which is connected for 31");
  EXPECT_EQ(refusal(limited(&C::begun_bytes, 15), begin),
            "begin_reduce_scatter to a part of 16 bytes in the group 'world', which is connected "
            "for 15");
  EXPECT_EQ(refusal(limited(&C::sums_beside, false),
                    [](Communicator& g, Context& c, Tensor x) {
                      c.lane = TraceLane::communication;
                      g.all_reduce(c, x);
                    }),
            "all_reduce beside the computing in the group 'world', which is not connected for "
            "that");
}

TEST(Communicator, CollectivesWithinTheCapacityRun) {
  run_thread_ranks(2, {5}, [](Communicator& world) {
    world.connect(cpu_device, {16, 0, 0, 0, 0, false});
    world.connect(cpu_device, {0, 32, 16, 16, 1, true});
    world.connect(cpu_device, {32, 0, 0, 0, 0, false});
    Context context(cpu_device, 0);
    context.lane = TraceLane::communication;
    std::vector<float> values(8, 1.0f);
    const Tensor x(values.data(), DType::f32, {8});
    world.all_reduce(context, x);
    world.reduce_scatter(context, x, x.slice(4 * (1 - world.rank()), 4));
    world.begin_reduce_scatter(context, x, x.slice(0, 4));
    world.all_gather(context, x.slice(0, 4), x);
    world.broadcast(context, x, 1);
    const std::string wrong = check_host_values(*world.split(0, "not connected"));
    EXPECT_EQ(wrong, "");
    const std::vector<std::string> texts = gather_texts(world, std::string(100, 'x'));
    EXPECT_EQ(texts[0].size(), 100u) << "bytes of the host have no limit";
  });
}

TEST(Communicator, TensorsOfCpusGoThroughTheHost) {
  run_thread_ranks(2, {5}, [](Communicator& world) {
    EXPECT_EQ(world.planned_way(cpu_device), ExchangeWay::host_memory);
    const CollectiveCapacity capacity{.bytes = 1000};
    EXPECT_EQ(planned_bytes(world, cpu_device, capacity),
              exchange_bytes(ExchangeWay::host_memory, 2, capacity));
    EXPECT_EQ(planned_bytes(world, cpu_device, RouteEnd::sender, {10, 3}), 30u);
    EXPECT_EQ(planned_bytes(world, cpu_device, RouteEnd::receiver, {10, 3}), 0u);
  });
}

// Host memory is none of the GPU's.
TEST(PlannedBytes, AreOfTheDevice) {
  const CollectiveCapacity capacity{.bytes = 1000, .displaced_bytes = 300};
  const Device gpu{DeviceType::cuda, 0};
  const auto both = [&](ExchangeWay way, Device device) {
    const PlannedGroup group({0, 4, 1}, way);
    return std::pair(planned_bytes(group, device, capacity),
                     planned_bytes(group, device, RouteEnd::sender, {10, 3}));
  };
  EXPECT_EQ(both(ExchangeWay::host_memory, gpu), std::pair(std::size_t{0}, std::size_t{0}));
  EXPECT_EQ(both(ExchangeWay::host_memory, cpu_device),
            std::pair(exchange_bytes(ExchangeWay::host_memory, 4, capacity), std::size_t{30}));
  EXPECT_EQ(both(ExchangeWay::peer_memory, gpu), std::pair(std::size_t{300}, std::size_t{30}));
}

TEST(Communicator, ARouteJoinsTwoRanksOfTheGroup) {
  for (const Route& route : {Route{0, 2, 0}, Route{-1, 1, 0}, Route{1, 1, 1}}) {
    const std::string message = failure_of(2, 5, [&](Communicator& world) {
      world.open(cpu_device, {&route, 1}, {});
    });
    EXPECT_NE(
        message.find(fmt::format("a route from {} to {} in a group of 2", route.from, route.to)),
        std::string::npos)
        << message;
  }
}

TEST(EchoGroup, GivesWhatTheOthersWouldFromThisRanksOwn) {
  EchoGroup echo(1, 2);
  Communicator& group = echo;
  EXPECT_EQ(group.rank(), 1);
  EXPECT_EQ(group.size(), 2);
  Context context(cpu_device, 0);
  std::vector<float> values{1, 2, 3, 4};
  const Tensor x(values.data(), DType::f32, {4});
  group.all_reduce(context, x);
  group.broadcast(context, x, 0);
  group.barrier();
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3, 4}));
  std::vector<float> part{0, 0};
  const Tensor to(part.data(), DType::f32, {2});
  group.reduce_scatter(context, x, to);
  EXPECT_EQ(part, (std::vector<float>{3, 4}));
  EXPECT_EQ(gather_texts(group, "own"), (std::vector<std::string>{"own", "own"}));
  EXPECT_EQ(group.name_of(1), "rank 1");
  EXPECT_FALSE(group.only_planned());
  part = {0, 0};
  EXPECT_FALSE(group.begin_reduce_scatter(context, x, to));
  EXPECT_EQ(part, (std::vector<float>{3, 4}));
  group.all_gather(context, to, x);
  EXPECT_EQ(values, (std::vector<float>{3, 4, 3, 4}));
  values = {5, 6, 7, 8};
  group.all_gather(context, x.slice(2, 2), x);
  EXPECT_EQ(values, (std::vector<float>{7, 8, 7, 8}));
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { group.send(context, x, 0, 0); }, [&] { group.receive(context, x, 0, 0); },
           [&] { group.expect(x, 0, 0); }, [&] { group.split(0, "part"); }}) {
    EXPECT_THAT(call, testing::ThrowsMessage<Error>(
                          testing::HasSubstr("in a group whose other ranks do not take part")));
  }
}

TEST(Communicator, MetaTensorsAreLeftAlone) {
  run_thread_ranks(2, {5}, [](Communicator& world) {
    Context context(meta_device);
    const Tensor x(nullptr, DType::f32, {4}, meta_device);
    // Only one rank calls: nothing is exchanged.
    if (world.rank() == 1) return;
    world.all_reduce(context, x);
    world.reduce_scatter(context, x, x.slice(0, 2));
    world.all_gather(context, x.slice(0, 2), x);
    world.send(context, x, 1, 0);
    world.receive(context, x, 1, 0);
  });
}

}  // namespace
}  // namespace fathom
