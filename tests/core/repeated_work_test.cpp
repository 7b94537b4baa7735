#include "core/repeated_work.h"

#include <gtest/gtest.h>

#include "core/log_redirection.h"
#include "core/observer.h"
#include "core/stream.h"
#include "core/trace.h"

namespace fathom {
namespace {

constexpr Device gpu{DeviceType::cuda, 0};

// Copies words on a device, and counts how often the host queues the copy.
class Copier {
 public:
  explicit Copier(Device device)
      : context(device, 0), stream_(device), memory_(device, 2 * words * sizeof(std::int32_t)) {
    context.stream = stream_.get();
    from_ = memory_.tensor(DType::i32, {words});
    to_ = memory_.tensor(DType::i32, {words}, from_.bytes());
  }

  // Runs the copy of `value` under `key`, and returns the last word that arrived.
  std::int32_t copy(RepeatedWork<int>& work, int key, std::int32_t value) {
    std::vector<std::int32_t> host(words, value);
    const Tensor outside(host.data(), DType::i32, {words});
    move(from_, outside);
    work.run(context, key, [&] {
      ++queued;
      move(to_, from_);
    });
    move(outside, to_);
    synchronize(context.device, context.stream);
    return host.back();
  }

  Context context;
  int queued = 0;

 private:
  static constexpr std::int64_t words = 1000;

  void move(Tensor to, Tensor from) {
    copy_bytes(to.data, to.device, from.data, from.device, to.bytes(), context.stream);
  }

  OwnedStream stream_;
  Buffer memory_;
  Tensor from_, to_;
};

TEST(RepeatedWork, IsQueuedEachTimeWhenItIsNotToBeRecorded) {
  Copier copier(cpu_device);
  RepeatedWork<int> work(4, Recording::off);
  for (const int value : {3, 4, 5}) EXPECT_EQ(copier.copy(work, 1, value), value);
  EXPECT_EQ(copier.queued, 3);
  EXPECT_EQ(work.launches(), 0);
}

// A CPU has no queue to record.
TEST(RepeatedWork, GoesOnUnrecordedWhereRecordingFails) {
  std::vector<std::string> lines;
  const log::Redirection redirection(
      [&](log::Level, const std::string& line) { lines.push_back(line); });
  Copier copier(cpu_device);
  RepeatedWork<int> work(4);
  for (const int value : {3, 4, 5, 6}) EXPECT_EQ(copier.copy(work, 1, value), value);
  EXPECT_EQ(copier.queued, 4);
  EXPECT_EQ(work.launches(), 0);
  ASSERT_EQ(lines.size(), 1);
  EXPECT_TRUE(lines.front().starts_with("further steps are launched operation by operation: "));
}

TEST(RepeatedWork, IsQueuedOnceMoreToBeRecordedAndThenLaunched) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  Copier copier(gpu);
  RepeatedWork<int> work(4);
  for (const int value : {3, 4, 5, 6}) EXPECT_EQ(copier.copy(work, 1, value), value);
  EXPECT_EQ(copier.queued, 2);
  EXPECT_EQ(work.launches(), 3);
  EXPECT_EQ(copier.copy(work, 2, 7), 7) << "another key";
  EXPECT_EQ(copier.queued, 3);
}

// A trace and an observer see each operation.
TEST(RepeatedWork, IsNotLaunchedAsAWholeWhileItIsObserved) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  Copier copier(gpu);
  RepeatedWork<int> work(4);
  for (const int value : {3, 4}) copier.copy(work, 1, value);
  Trace trace(gpu);
  copier.context.trace = &trace;
  for (const int value : {5, 6}) EXPECT_EQ(copier.copy(work, 1, value), value);
  EXPECT_EQ(copier.queued, 4);
  copier.context.trace = nullptr;
  EXPECT_EQ(copier.copy(work, 1, 7), 7);
  EXPECT_EQ(copier.queued, 4);
}

// Keys that never come again displace each other, and no recording.
TEST(RepeatedWork, RemembersAFewKeys) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  Copier copier(gpu);
  RepeatedWork<int> work(2);
  for (const int key : {1, 1, 2, 3, 4, 2, 1}) EXPECT_EQ(copier.copy(work, key, key), key);
  EXPECT_EQ(copier.queued, 6) << "1 was recorded, and 2 forgotten";
  copier.copy(work, 2, 8);
  EXPECT_EQ(copier.copy(work, 2, 9), 9);
  EXPECT_EQ(copier.queued, 7);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(copier.copy(work, 5, i), i);
  EXPECT_EQ(copier.queued, 9) << "there is no room for 5";
}

// What a failed attempt has left is no failure of the operations after it.
TEST(RepeatedWork, WorkThatCannotBeRecordedStillRuns) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  const log::Redirection redirection([](log::Level, const std::string&) {});
  Copier copier(gpu);
  RepeatedWork<int> work(2);
  const auto wait = [&] { synchronize(gpu, copier.context.stream); };  // cannot be recorded
  for (int i = 0; i < 4; ++i) work.run(copier.context, 1, wait);
  RepeatedWork<int> next(2);
  for (const int value : {3, 4, 5}) EXPECT_EQ(copier.copy(next, 1, value), value);
  EXPECT_EQ(copier.queued, 2);
}

}  // namespace
}  // namespace fathom
