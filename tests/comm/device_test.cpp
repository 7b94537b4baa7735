// Collectives and messages on the tensors of every device of this machine: ranks that share a
// GPU, ranks with a GPU each (by NCCL, and by reading each other's memory), and ranks on the CPU,
// against sums worked out by hand. Without a GPU only the last runs.
#include <gmock/gmock.h>

#include <deque>
#include <functional>
#include <thread>

#include "comm/collectives_check.h"
#include "comm/comm_queue.h"
#include "comm/thread_ranks.h"
#include "core/trace.h"

namespace fathom {
namespace {

// Host values on a device, and back.
template <class T>
struct OnDevice {
  OnDevice(Context& context_, std::vector<T> values)
      : context(context_),
        host(std::move(values)),
        memory(context.device, host.size() * sizeof(T)) {
    copy_bytes(memory.data(), context.device, host.data(), cpu_device, memory.bytes(),
               context.stream);
  }
  Tensor tensor() const {
    return memory.tensor(dtype_of<T>, {static_cast<std::int64_t>(host.size())});
  }
  std::vector<T> values() {
    copy_bytes(host.data(), cpu_device, memory.data(), context.device, memory.bytes(),
               context.stream);
    synchronize(context.device, context.stream);
    return host;
  }
  Context& context;
  std::vector<T> host;
  Buffer memory;
};

// NCCL adds in an order of its own, and bf16 in bf16.
template <class T>
void require_near(const std::vector<T>& a, const std::vector<T>& b, bool exact, const char* what) {
  const double tolerance = exact ? 0 : sizeof(T) == 2 ? 2e-2 : 1e-5;
  require(a.size() == b.size(), "{}: {} values", what, a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = double(static_cast<float>(a[i])), y = double(static_cast<float>(b[i]));
    require(std::abs(x - y) <= tolerance * std::abs(y), "{}: {} at {} where {} is right", what, x,
            i, y);
  }
}

// Connects the group for collectives of so many values a rank, of which `begun` sums are not added
// at one time.
void connect(Communicator& group, const Context& context, std::int64_t part, int begun = 1) {
  const std::size_t bytes = static_cast<std::size_t>(part) * sizeof(float);
  CollectiveCapacity capacity;
  capacity.bytes = bytes * static_cast<std::size_t>(group.size());
  capacity.broadcast_bytes = capacity.displaced_bytes = capacity.begun_bytes = bytes;
  capacity.begun = begun;
  capacity.sums_beside = true;
  group.connect(context.device, capacity);
}

template <class T>
void check(Communicator& group, Context& context, std::int64_t part, bool exact) {
  const int ranks = group.size(), rank = group.rank();
  const std::int64_t count = part * ranks;
  OnDevice<T> all(context, samples<T>(rank, count));
  group.all_reduce(context, all.tensor());
  require_near(all.values(), sums<T>(ranks, 0, count), exact, "all_reduce");

  const std::vector<T> mine = sums<T>(ranks, rank * part, part);
  for (const std::int64_t at : {rank * part, std::int64_t{0}}) {
    OnDevice<T> from(context, samples<T>(rank, count));
    group.reduce_scatter(context, from.tensor(), from.tensor().slice(at, part));
    std::vector<T> got = from.values();
    got = {got.begin() + at, got.begin() + at + part};
    require_near(got, mine, exact, "reduce_scatter");
    OnDevice<T> begun(context, samples<T>(rank, count));
    const auto add =
        group.begin_reduce_scatter(context, begun.tensor(), begun.tensor().slice(at, part));
    if (add) add(context);
    std::vector<T> sum = begun.values();
    require_near({sum.begin() + at, sum.begin() + at + part}, mine, exact,
                 "a reduce_scatter begun");
    // In place, from this rank's part of the whole.
    OnDevice<T> gathered(context, std::vector<T>(static_cast<std::size_t>(count)));
    OnDevice<T> piece(context, got);
    group.all_gather(context, piece.tensor(), gathered.tensor());
    require_near(gathered.values(), sums<T>(ranks, 0, count), exact, "all_gather");
  }
  OnDevice<T> told(context, samples<T>(rank, part));
  group.broadcast(context, told.tensor(), ranks - 1);
  require_near(told.values(), samples<T>(ranks - 1, part), true, "broadcast");
}

// Several sums on their way at once, begun in a queue and added in the computing's stream.
void check_begun_sums(Communicator& group, Context& context) {
  constexpr std::int64_t part = 1 << 20;
  struct Begun {
    OnDevice<bfloat16> values;
    CommQueue::Ticket ticket = 0;
    std::function<void(Context&)> add;
  };
  const auto beside = group.split(0, "beside");
  connect(*beside, context, part, 6);
  CommQueue queue(context.device, Overlap::on);
  const auto from = samples<bfloat16>(group.rank(), part * group.size());
  const auto right = sums<bfloat16>(group.size(), group.rank() * part, part);
  for (int round = 0; round < 3; ++round) {
    std::deque<Begun> all;
    for (int i = 0; i < 6; ++i) {
      Begun& begun = all.emplace_back(Begun{OnDevice<bfloat16>(context, from), 0, {}});
      const Tensor x = begun.values.tensor();
      begun.ticket = queue.submit(context, [&beside, &begun, x](Context& other) {
        begun.add = beside->begin_reduce_scatter(other, x, x.slice(0, part));
      });
    }
    for (Begun& begun : all) {
      queue.wait(context, begun.ticket, "wait");
      require(begun.add != nullptr, "nothing was left to be added");
      begun.add(context);
      std::vector<bfloat16> got = begun.values.values();
      got.resize(part);
      require_near(got, right, true, "a sum begun beside");
    }
  }
}

void check_messages(Communicator& group, Context& context) {
  const int next = (group.rank() + 1) % group.size();
  const int previous = (group.rank() + group.size() - 1) % group.size();
  std::vector<Route> routes;
  for (int from = 0; from < group.size(); ++from) {
    const int to = (from + 1) % group.size();
    routes.push_back({from, to, 0});
    routes.push_back({to, from, 1});
  }
  group.open(context.device, routes, {3000 * sizeof(float), 2});
  for (int round = 0; round < 5; ++round) {
    OnDevice<float> there(context, samples<float>(group.rank() + round, 1000));
    OnDevice<float> back(context, samples<float>(group.rank() + 10 * round, 3000));
    OnDevice<float> got(context, std::vector<float>(1000)),
        got_back(context, std::vector<float>(3000));
    // Forwards and backwards of a pipeline: nobody waits in send.
    group.send(context, there.tensor(), next, 0);
    group.send(context, back.tensor(), previous, 1);
    group.receive(context, got_back.tensor(), next, 1);
    group.receive(context, got.tensor(), previous, 0);
    require_near(got.values(), samples<float>(previous + round, 1000), true, "a message on");
    require_near(got_back.values(), samples<float>(next + 10 * round, 3000), true,
                 "a message back");
  }
}

// The same beside other work, through a queue and a communicator of its own.
void check_queue(Communicator& group, Context& context) {
  const auto beside = group.split(0, "beside");
  connect(*beside, context, 5000);
  CommQueue queue(context.device, Overlap::on);
  OnDevice<float> x(context, samples<float>(group.rank(), 5000));
  for (int i = 0; i < 3; ++i) {
    queue.submit(context,
                 [&](Context& other) { beside->all_reduce(other, x.tensor(), Reduction::max); });
  }
  queue.submit(context, [&](Context& other) { beside->broadcast(other, x.tensor(), 0); });
  queue.wait(context, queue.last(), "wait");
  require_near(x.values(), samples<float>(group.size() - 1, 5000), true, "a maximum beside");
}

enum class Gpus { none, shared, one_each, one_each_by_peer_memory };

struct DeviceCase {
  Gpus gpus;
  int ranks;
};

class DeviceCollectives : public testing::TestWithParam<DeviceCase> {};

TEST_P(DeviceCollectives, GiveTheSumsOfAllRanks) {
  const auto [gpus, ranks] = GetParam();
  const int wanted = gpus == Gpus::none ? 0 : gpus == Gpus::shared ? 1 : ranks;
  if (cuda::device_count() < wanted) GTEST_SKIP() << "takes " << wanted << " GPUs";
  const bool peer_memory = gpus == Gpus::one_each_by_peer_memory;
  run_thread_ranks(
      ranks, {60, peer_memory}, [gpus = gpus, wanted, peer_memory](Communicator& world) {
        Device device = cpu_device;
        if (gpus != Gpus::none) device = {DeviceType::cuda, 0};
        if (wanted > 1) device.index = static_cast<std::int16_t>(world.rank());
        Context context(device, 0);
        const OwnedStream stream(device);
        context.stream = stream.get();
        const bool exact = gpus != Gpus::one_each;
        connect(world, context, 1 << 20);
        for (const TraceLane lane : {TraceLane::communication, TraceLane::compute}) {
          context.lane = lane;
          for (const std::int64_t part : {1, 37, 4099, 300001}) {
            check<float>(world, context, part, exact);
            check<bfloat16>(world, context, part, exact);
          }
        }
        if (peer_memory) {
          check<float>(world, context, 1 << 20, exact);  // several slots of what is fetched
          check_begun_sums(world, context);
        }
        check_messages(world, context);
        check_queue(world, context);
        const auto pair = world.split(world.rank() / 2, "pair");
        connect(*pair, context, 1000);
        check<float>(*pair, context, 1000, exact);
      });
}

// What a job of so many ranks, each on GPU `device_of(rank)`, ends with.
std::string failure_of(int ranks, std::function<int(int)> device_of,
                       const std::function<void(Communicator&, Context&)>& body,
                       double timeout = 60, bool peer_memory = false) {
  try {
    run_thread_ranks(ranks, {timeout, peer_memory}, [&](Communicator& world) {
      const Device device{DeviceType::cuda, static_cast<std::int16_t>(device_of(world.rank()))};
      const OwnedStream stream(device);
      Context context(device, 0);
      context.stream = stream.get();
      body(world, context);
    });
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(DeviceMessages, ARouteThatWasNotOpenedIsNamed) {
  if (cuda::device_count() < 1) GTEST_SKIP() << "takes a GPU";
  const std::string message = failure_of(
      2, [](int) { return 0; },
      [](Communicator& world, Context& context) {
        const Route forwards{0, 1, 0};
        world.open(context.device, {&forwards, 1}, {10 * sizeof(float), 1});
        const OnDevice<float> x(context, std::vector<float>(10));
        if (world.rank() == 0) world.send(context, x.tensor(), 1, 2);
        if (world.rank() == 1) world.receive(context, x.tensor(), 0, 2);
        if (world.rank() == 1) world.send(context, x.tensor(), 0, 1);
      });
  EXPECT_THAT(message, testing::HasSubstr("rank 1: a message from rank 1 to rank 0 with an odd tag "
                                          "on a route that was not opened"));
}

TEST(DeviceCollective, OneOfAGroupThatIsNotConnectedIsNamed) {
  if (cuda::device_count() < 1) GTEST_SKIP() << "takes a GPU";
  const std::string message = failure_of(
      2, [](int) { return 0; },
      [](Communicator& world, Context& context) {
        const OnDevice<float> x(context, std::vector<float>(10));
        world.all_reduce(context, x.tensor());
      });
  EXPECT_THAT(message, testing::HasSubstr("all_reduce of a GPU's tensor in the group 'world', "
                                          "which is not connected"));
}

class TwoRanks : public testing::TestWithParam<Gpus> {
 protected:
  int gpus() const { return GetParam() == Gpus::shared ? 1 : 2; }
  std::string failure(const std::function<void(Communicator&, Context&)>& body,
                      double timeout = 100) const {
    const auto device_of = [this](int rank) { return rank % gpus(); };
    return failure_of(2, device_of, body, timeout, GetParam() == Gpus::one_each_by_peer_memory);
  }
};

TEST_P(TwoRanks, AFailedOneEndsWhatWaitsForItOnAGpu) {
  if (cuda::device_count() < gpus()) GTEST_SKIP() << "takes " << gpus() << " GPUs";
  const auto start = std::chrono::steady_clock::now();
  const std::string message = failure([](Communicator& world, Context& context) {
    connect(world, context, 10);
    const OnDevice<float> x(context, std::vector<float>(10));
    world.all_reduce(context, x.tensor());
    synchronize(context.device, context.stream);
    if (world.rank() == 1) fail_runtime("out of luck");
    world.all_reduce(context, x.tensor());
    synchronize(context.device, context.stream);
    world.barrier();
  });
  EXPECT_EQ(message, "rank 1: out of luck");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST_P(TwoRanks, OneThatDoesNotComeIsTold) {
  if (cuda::device_count() < gpus()) GTEST_SKIP() << "takes " << gpus() << " GPUs";
  const int timeout = GetParam() == Gpus::one_each ? 8 : 3;  // NCCL takes a while to begin
  const std::string message = failure(
      [timeout](Communicator& world, Context& context) {
        connect(world, context, 10);
        const OnDevice<float> x(context, std::vector<float>(10));
        world.all_reduce(context, x.tensor());
        synchronize(context.device, context.stream);
        if (world.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(2 * timeout));
        // The other comes too late, and finds that its memory may be gone.
        world.all_reduce(context, x.tensor());
        synchronize(context.device, context.stream);
        world.barrier();
      },
      timeout);
  EXPECT_THAT(message, testing::HasSubstr(fmt::format("waited {} s", timeout)));
  EXPECT_THAT(message, testing::StartsWith("rank 0: "));
  EXPECT_THAT(message, testing::HasSubstr("for rank 1: it hangs"));
}

INSTANTIATE_TEST_SUITE_P(All, TwoRanks,
                         testing::Values(Gpus::shared, Gpus::one_each,
                                         Gpus::one_each_by_peer_memory));

INSTANTIATE_TEST_SUITE_P(All, DeviceCollectives,
                         testing::Values(DeviceCase{Gpus::none, 4}, DeviceCase{Gpus::shared, 2},
                                         DeviceCase{Gpus::shared, 4}, DeviceCase{Gpus::one_each, 2},
                                         DeviceCase{Gpus::one_each, 4},
                                         DeviceCase{Gpus::one_each_by_peer_memory, 2},
                                         DeviceCase{Gpus::one_each_by_peer_memory, 4},
                                         DeviceCase{Gpus::one_each, 8}));

}  // namespace
}  // namespace fathom
