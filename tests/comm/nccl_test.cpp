// NCCL on one GPU: a group of one rank. In builds with CUDA alone.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "comm/cuda/nccl_group.h"
#include "comm/thread_ranks.h"
#include "core/error.h"

namespace fathom {
namespace {

// How the first of two ranks ends, whose other one does not come.
std::string end_of_connecting(comm_cuda::NcclAborts& aborts, double timeout) {
  ncclUniqueId id{};
  comm_cuda::check_nccl(comm_cuda::nccl().unique_id(&id), "a number");
  try {
    comm_cuda::NcclComm(Device{DeviceType::cuda, 0}, id, 0, 2, {aborts, timeout});
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Nccl, DoesNotWaitForEverForARankThatDoesNotConnect) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  comm_cuda::NcclAborts aborts;
  EXPECT_THAT(end_of_connecting(aborts, 3),
              testing::HasSubstr("connecting the ranks took more than 3 s"));
}

TEST(Nccl, AFailureElsewhereEndsTheConnecting) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  comm_cuda::NcclAborts aborts;
  const std::jthread other([&] {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    aborts.abort_all();
  });
  EXPECT_EQ(end_of_connecting(aborts, 100), "another rank has failed, or this one");
}

TEST(Nccl, RunsOnOneGpu) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  run_thread_ranks(1, {60}, [](Communicator& world) {
    const Device device{DeviceType::cuda, 0};
    Context context(device, 0);
    comm_cuda::NcclAborts aborts;
    comm_cuda::NcclGroup group(world, device, {aborts, 60});
    std::vector<float> values{1, 2, 3};
    const Buffer memory(device, 3 * sizeof(float)), other(device, 3 * sizeof(float));
    const Tensor x = memory.tensor(DType::f32, {3}), y = other.tensor(DType::f32, {3});
    copy_bytes(x.data, device, values.data(), cpu_device, x.bytes(), context.stream);
    group.all_reduce(context, x, Reduction::sum);
    group.reduce_scatter(context, x, x);
    group.all_gather(context, x, y);
    group.broadcast(context, y, 0);
    std::vector<float> got(3);
    copy_bytes(got.data(), cpu_device, y.data, device, y.bytes(), context.stream);
    synchronize(device, context.stream);
    EXPECT_EQ(got, values);
  });
}

}  // namespace
}  // namespace fathom
