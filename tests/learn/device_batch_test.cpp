// Batches on the way to the device: what was uploaded is what work queued before the next
// upload sees, however far the device lags behind the host.
#include "learn/device_batch.h"

#include <gtest/gtest.h>

#include <bit>

#include "core/error.h"
#include "ops/elementwise.h"

namespace fathom {
namespace {

constexpr std::int64_t tokens = 64, length = 16;

std::vector<Device> devices() {
  std::vector<Device> all{cpu_device};
  if (cuda::device_count() > 0) all.push_back({DeviceType::cuda, 0});
  return all;
}

class DeviceBatchTest : public testing::TestWithParam<Device> {
 protected:
  DeviceBatchTest() : context_(GetParam()), uploads_(GetParam()), memory_(uploads_, tokens) {}

  // Copies a tensor into the host's memory, in the order of the stream.
  void read(const Tensor& tensor, std::vector<std::int32_t>& into) {
    into.resize(static_cast<std::size_t>(tensor.elements()));
    copy_bytes(into.data(), cpu_device, tensor.data, tensor.device, tensor.bytes(),
               context_.stream);
  }

  Context context_;
  OwnedStream uploads_;
  DeviceBatch memory_;
};
INSTANTIATE_TEST_SUITE_P(On, DeviceBatchTest, testing::ValuesIn(devices()), [](const auto& test) {
  return test.param == cpu_device ? "cpu" : "cuda";
});

Batch batch_of(int number, std::int64_t n) {
  Batch batch;
  batch.sequence_length = length;
  batch.sequences = n / length;
  for (int i = 0; i < n; ++i) {
    batch.inputs.push_back(1000 * number + i);
    batch.targets.push_back(1000 * number + i + 500);
    batch.positions.push_back(i % int(length));
  }
  for (int i = 0; i <= batch.sequences; ++i) batch.cu_seqlens.push_back(i * int(length));
  return batch;
}

TEST_P(DeviceBatchTest, WorkSeesItsOwnBatch) {
  constexpr int steps = 6;
  constexpr std::size_t bytes = std::size_t{64} << 20;
  const Buffer large(GetParam(), bytes);
  const Tensor slow = large.tensor(DType::f32, {bytes / sizeof(float)});
  const HostBuffer seen(GetParam(), steps * tokens * sizeof(std::int32_t));
  for (int k = 0; k < steps; ++k) {
    const MicroBatch batch = memory_.upload(context_, batch_of(k, tokens));
    for (int i = 0; i < 20 && GetParam() != cpu_device; ++i) ops::fill(context_, slow, 1.0f);
    const Tensor to = seen.tensor(DType::i32, {tokens}, k * tokens * sizeof(std::int32_t));
    copy_bytes(to.data, cpu_device, batch.ids.data, batch.ids.device, to.bytes(), context_.stream);
  }
  synchronize(GetParam(), context_.stream);
  const auto* values = static_cast<const std::int32_t*>(seen.data());
  for (int k = 0; k < steps; ++k) {
    for (int i = 0; i < tokens; ++i) ASSERT_EQ(values[k * tokens + i], 1000 * k + i);
  }
}

TEST_P(DeviceBatchTest, AllOfABatchArrives) {
  for (const std::int64_t n : {tokens, tokens / 2, tokens}) {
    const Batch host = batch_of(3, n);
    const MicroBatch batch = memory_.upload(context_, host);
    std::vector<std::int32_t> ids, targets, positions, offsets;
    read(batch.ids, ids);
    read(batch.targets, targets);
    read(batch.tokens.positions, positions);
    read(batch.tokens.segments.offsets, offsets);
    synchronize(GetParam(), context_.stream);
    EXPECT_EQ(ids, host.inputs);
    EXPECT_EQ(targets, host.targets);
    EXPECT_EQ(positions, host.positions);
    EXPECT_EQ(offsets, host.cu_seqlens);
    EXPECT_EQ(batch.tokens.segments.uniform_length, length);
  }
}

// A segment a token, and a weight for each: the most that a batch of so many tokens takes.
TEST_P(DeviceBatchTest, HasRoomForASegmentAToken) {
  Batch host = batch_of(1, tokens);
  host.cu_seqlens.clear();
  for (std::int32_t i = 0; i <= tokens; ++i) host.cu_seqlens.push_back(i);
  for (int i = 0; i < tokens; ++i) host.loss_weights.push_back(float(i));
  const MicroBatch batch = memory_.upload(context_, host);
  std::vector<std::int32_t> offsets, bits;
  read(batch.tokens.segments.offsets, offsets);
  read(batch.loss_weights, bits);
  synchronize(GetParam(), context_.stream);
  EXPECT_EQ(offsets, host.cu_seqlens);
  EXPECT_EQ(batch.loss_weights.dtype, DType::f32);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    EXPECT_EQ(std::bit_cast<float>(bits[i]), host.loss_weights[i]);
  }
  EXPECT_EQ(bits.size(), std::size_t(tokens));
}

// Ids, targets, weights and positions, segments and one offset more; on a GPU twice.
TEST(DeviceBatchBytes, AreFiveNumbersATokenAndOneMore) {
  EXPECT_EQ(DeviceBatch::bytes(cpu_device, 64), 4u * (5 * 64 + 1));
  EXPECT_EQ(DeviceBatch::bytes({DeviceType::cuda, 0}, 64), 2u * 4 * (5 * 64 + 1));
}

TEST_P(DeviceBatchTest, ABatchThatWasNotPlannedIsRefused) {
  EXPECT_THROW(memory_.upload(context_, batch_of(0, tokens + length)), Error);
}

}  // namespace
}  // namespace fathom
