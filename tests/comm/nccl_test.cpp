// NCCL on one GPU: a group of one rank. In builds with CUDA alone.
#include <gtest/gtest.h>

#include "comm/cuda/nccl_group.h"
#include "comm/thread_ranks.h"

namespace fathom {
namespace {

TEST(Nccl, RunsOnOneGpu) {
  if (cuda::device_count() == 0) GTEST_SKIP() << "takes a GPU";
  run_thread_ranks(1, {60}, [](Communicator& world) {
    const Device device{DeviceType::cuda, 0};
    Context context(device, 0);
    comm_cuda::NcclAborts aborts;
    comm_cuda::NcclGroup group(world, device, aborts);
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
