// Meetings of ranks on CPUs, whose events have always happened. In builds with CUDA alone.
#include "comm/cuda/meeting.h"

#include <gmock/gmock.h>

#include <mutex>
#include <thread>

#include "comm/thread_ranks.h"
#include "core/error.h"

namespace fathom {
namespace {

using comm_cuda::Meeting;

TEST(Meeting, ShowsEveryRankTheAddressesOfAll) {
  constexpr int ranks = 4, meetings = 3000;
  static std::byte places[ranks][meetings];
  run_thread_ranks(ranks, {60}, [&](Communicator& world) {
    const std::atomic<bool> ended = false;
    Meeting meeting(world, cpu_device, 60, ended);
    Context context(cpu_device, 0);
    for (int i = 0; i < meetings; ++i) {
      const std::vector<std::byte*> all = meeting.meet(context, "test", &places[world.rank()][i]);
      require(all.size() == ranks, "{} addresses", all.size());
      for (int r = 0; r < ranks; ++r) {
        require(all[std::size_t(r)] == &places[r][i], "meeting {}: not rank {}'s address", i, r);
      }
    }
    world.barrier();
  });
}

// One that waits in vain says for whom, and the one that comes afterwards does not go on with
// what may be gone.
TEST(Meeting, IsOverForAllWhenOneHasLeft) {
  std::mutex mutex;
  std::vector<std::string> ends(2);
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    const std::atomic<bool> ended = false;
    Meeting meeting(world, cpu_device, 0.5, ended);
    Context context(cpu_device, 0);
    std::byte place{};
    meeting.meet(context, "test", &place);
    if (world.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(1));
    try {
      meeting.meet(context, "test", &place);
    } catch (const Error& error) {
      const std::lock_guard lock(mutex);
      ends[std::size_t(world.rank())] = error.what();
    }
    world.barrier();
  });
  EXPECT_THAT(ends[0], testing::StartsWith("test waited 0.5 s for rank 1: it hangs"));
  EXPECT_EQ(ends[1], "another rank has failed, or this one");
}

TEST(Meeting, EndsWhenItIsToldTo) {
  const auto start = std::chrono::steady_clock::now();
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    std::atomic<bool> ended = false;
    Meeting meeting(world, cpu_device, 60, ended);
    Context context(cpu_device, 0);
    std::byte place{};
    if (world.rank() == 0) {
      const std::jthread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        ended = true;
      });
      EXPECT_THROW(meeting.meet(context, "test", &place), Error);
    }
    world.barrier();
  });
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

}  // namespace
}  // namespace fathom
