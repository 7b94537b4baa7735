#include "core/stream.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/buffer.h"
#include "core/error.h"

namespace fathom {
namespace {

std::vector<Device> devices() {
  std::vector<Device> all{cpu_device};
  if (cuda::device_count() > 0) all.push_back({DeviceType::cuda, 0});
  return all;
}

class StreamTest : public testing::TestWithParam<Device> {};
INSTANTIATE_TEST_SUITE_P(On, StreamTest, testing::ValuesIn(devices()), [](const auto& test) {
  return test.param == cpu_device ? "cpu" : "cuda";
});

// Out through one stream and back through another, which an event holds back.
TEST_P(StreamTest, EventsOrderCopiesBetweenStreams) {
  constexpr std::size_t bytes = std::size_t{8} << 20;
  const OwnedStream there(GetParam()), back(GetParam());
  Event copied(GetParam()), returned(GetParam());
  EXPECT_TRUE(returned.reached()) << "an event that was never recorded";
  const HostBuffer from(GetParam(), bytes), to(GetParam(), bytes);
  const Buffer device(GetParam(), bytes);
  const Tensor words = from.tensor(DType::i32, {bytes / 4});
  for (std::int32_t i = 0; i < words.elements(); ++i) words.as<std::int32_t>()[i] = 7 * i;

  copy_bytes(device.data(), device.device(), from.data(), cpu_device, bytes, there.get());
  copied.record(there.get());
  copied.block(back.get());
  copy_bytes(to.data(), cpu_device, device.data(), device.device(), bytes, back.get());
  returned.record(back.get());
  returned.wait();
  EXPECT_TRUE(returned.reached());

  const Tensor result = to.tensor(DType::i32, {bytes / 4});
  for (std::int32_t i = 0; i < words.elements(); ++i) {
    ASSERT_EQ(result.as<std::int32_t>()[i], 7 * i);
  }
}

TEST_P(StreamTest, HostBuffersAreZeroAndBounded) {
  const HostBuffer buffer(GetParam(), 64);
  const Tensor all = buffer.tensor(DType::f32, {16});
  EXPECT_EQ(all.device, cpu_device);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(all.as<float>()[i], 0);
  EXPECT_THROW(buffer.tensor(DType::f32, {16}, 4), Error);
}

}  // namespace
}  // namespace fathom
