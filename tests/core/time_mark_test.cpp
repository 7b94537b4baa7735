#include "core/time_mark.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/buffer.h"

namespace fathom {
namespace {

TEST(TimeMark, OfTheCpuIsTheClocks) {
  TimeMark begin(cpu_device), end(cpu_device);
  begin.record(nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  end.record(nullptr);
  EXPECT_GE(end.seconds_since(begin), 0.02);
  EXPECT_LT(end.seconds_since(begin), 10);
  begin = std::move(end);
  EXPECT_EQ(begin.seconds_since(begin), 0);
}

// The host's work beside the device does not count.
TEST(TimeMark, OfAGpuIsTheDevices) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "no GPU";
  constexpr Device device{DeviceType::cuda, 0};
  constexpr std::size_t bytes = std::size_t{256} << 20;
  const Buffer from(device, bytes), to(device, bytes);
  TimeMark begin(device), middle(device), end(device);
  begin.record(nullptr);
  copy_bytes(to.data(), device, from.data(), device, bytes, nullptr);
  middle.record(nullptr);
  for (int i = 0; i < 10; ++i) {
    copy_bytes(to.data(), device, from.data(), device, bytes, nullptr);
  }
  end.record(nullptr);
  const double ten = end.seconds_since(middle);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_GT(ten, 10 * 2 * static_cast<double>(bytes) / 20e12);  // 20 TB/s
  EXPECT_EQ(end.seconds_since(middle), ten);
  EXPECT_GT(end.seconds_since(begin), ten);
}

}  // namespace
}  // namespace fathom
