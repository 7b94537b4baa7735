#include "core/stream.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>
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
  const auto message_of = [&](DType dtype, Shape shape, std::size_t offset) -> std::string {
    try {
      buffer.tensor(dtype, shape, offset);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message_of(DType::f32, {2, 4}, 32), "no error");
  EXPECT_EQ(message_of(DType::bf16, {16}, 33), "a host buffer of 64 bytes has no [16] at 33");
  EXPECT_EQ(message_of(DType::f32, {2, 4}, 48), "a host buffer of 64 bytes has no [2, 4] at 48");
  EXPECT_EQ(message_of(DType::u8, {0}, 64), "no error");
  EXPECT_EQ(message_of(DType::u8, {0}, 65), "a host buffer of 64 bytes has no [0] at 65");
  EXPECT_EQ(buffer.tensor(DType::u8, {8}, 56).data, static_cast<std::byte*>(buffer.data()) + 56);
}

// As owners of memory do: what is moved from has what the other had.
TEST_P(StreamTest, HostBuffersMove) {
  HostBuffer first(GetParam(), 64);
  void* const memory = first.data();
  HostBuffer second(std::move(first));
  EXPECT_EQ(second.data(), memory);
  EXPECT_EQ(second.bytes(), 64u);
  EXPECT_EQ(first.bytes(), 0u);
  EXPECT_EQ(first.data(), nullptr);
  HostBuffer third;
  third = std::move(second);
  EXPECT_EQ(third.data(), memory);
  EXPECT_EQ(second.data(), nullptr);
}

TEST(HostBuffer, OfNoBytesOrOfPlannedMemoryHasNone) {
  EXPECT_EQ(HostBuffer(cpu_device, 0).data(), nullptr);
  const HostBuffer planned(meta_device, 64);
  EXPECT_EQ(planned.data(), nullptr);
  EXPECT_EQ(planned.bytes(), 64u);
}

// On a CPU work is done when a call returns.
TEST(Event, OfACpuIsAlwaysReached) {
  Event event(cpu_device);
  EXPECT_TRUE(event.reached());
  event.record(nullptr);
  event.block(nullptr);
  event.wait();
  EXPECT_TRUE(event.reached());
  EXPECT_EQ(OwnedStream(cpu_device).get(), nullptr);
  EXPECT_EQ(OwnedStream(meta_device).device(), meta_device);
}

}  // namespace
}  // namespace fathom
