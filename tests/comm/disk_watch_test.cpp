// A disk that hangs, and what becomes of the ranks that wait for the one that waits for it.
#include "comm/disk_watch.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "comm/thread_ranks.h"
#include "core/disk_calls.h"
#include "core/error.h"

namespace fathom {
namespace {

TEST(DiskWatch, TellsWhatHangs) {
  std::promise<std::string> told;
  const DiskWatch watch(0.05, [&](const std::string& message) { told.set_value(message); });
  const std::string path = "/far/weight.safetensors";
  const DiskCall call("reading", path);
  EXPECT_THAT(told.get_future().get(),
              testing::StartsWith("reading /far/weight.safetensors has not ended for 0.05 s: its "
                                  "disk or file server hangs"));
}

TEST(DiskWatch, WithoutALimitOrAHangEndsInSilence) {
  const auto never = [](const std::string& message) { ADD_FAILURE() << message; };
  const std::string path = "/far/weight.safetensors";
  const DiskCall call("reading", path);
  const DiskWatch none(0, never), less_than_none(-1, never), patient(1e6, never);
  while (longest_disk_call()->seconds < 0.02) std::this_thread::yield();
}

// Each call by itself, however long all of them take.
TEST(DiskWatch, ManyCallsAreNoHang) {
  const std::string path = "/far/weight.safetensors";
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  {
    const DiskCall first("reading", path);
    while (passed() < 0.05) std::this_thread::yield();
  }
  const double before_second = passed();
  const DiskCall second("reading", path);
  const double seconds = longest_disk_call()->seconds;
  EXPECT_LE(seconds, passed() - before_second);
}

TEST(DiskWatch, TellsOnce) {
  std::atomic<int> told = 0;
  const std::string path = "/far/weight.safetensors";
  {
    const DiskCall call("reading", path);
    const DiskWatch watch(0.01, [&](const std::string&) { ++told; });
    while (told == 0) std::this_thread::yield();
    while (longest_disk_call()->seconds < 0.1) std::this_thread::yield();
  }
  EXPECT_EQ(told, 1);
}

// Rank 1 waits for its disk, and rank 0 for rank 1, with all the time that a disk may need.
TEST(DiskWatch, EndsAJobOfThreads) {
  const auto run = [] {
    CommunicatorOptions options;
    options.disk_timeout_seconds = 0.05;
    run_thread_ranks(2, options, [](Communicator& world) {
      if (world.rank() == 0) return wait_for_disks(world);
      const std::string path = "/far/weight.safetensors";
      const DiskCall call("flushing", path);
      while (true) {
        world.throw_if_failed();
        std::this_thread::yield();
      }
    });
  };
  EXPECT_THAT(run, testing::ThrowsMessage<Error>(
                       testing::StartsWith("a rank of this process: flushing "
                                           "/far/weight.safetensors has not ended for 0.05 s")));
}

TEST(DiskWatch, LeavesAJobAloneThatOneRankIs) {
  CommunicatorOptions options;
  options.disk_timeout_seconds = 1e-6;
  run_thread_ranks(1, options, [](Communicator&) {
    const std::string path = "/far/weight.safetensors";
    const DiskCall call("reading", path);
    while (longest_disk_call()->seconds < 0.01) std::this_thread::yield();
  });
}

}  // namespace
}  // namespace fathom
