// Collectives between the GPUs of this machine, by NCCL and by reading each other's memory.
//
//   cmake --preset cuda -DFATHOM_BENCH=ON && cmake --build --preset cuda
//   build/cuda/bench/gpu_comm_bench [RANKS]
//
// GB/s are what a GPU receives of the others' data: (n - 1) / n of the whole tensor a
// collective, twice that for an all-reduce. "beside" is how a queue beside the computing does
// it, by copies before the sum; "begun" is a reduce-scatter whose sum comes later. Without NCCL,
// its row is host memory's, and GPUs that do not reach each other go through NCCL in all rows.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "comm/thread_ranks.h"
#include "core/buffer.h"
#include "core/device.h"
#include "core/stream.h"
#include "core/trace.h"

namespace fathom {
namespace {

constexpr std::array<std::int64_t, 6> sizes{1, 4, 16, 64, 256, 1024};  // MiB of the whole

struct Way {
  const char* name;
  bool peer_memory;
  TraceLane lane;
  bool begun = false;
};
constexpr std::array ways{Way{"NCCL", false, TraceLane::compute},
                          Way{"peer memory", true, TraceLane::compute},
                          Way{"peer memory, beside", true, TraceLane::communication},
                          Way{"peer memory, begun", true, TraceLane::communication, true}};

template <class F>
double seconds(Communicator& world, Context& context, F&& call) {
  constexpr int calls = 20;
  for (int i = 0; i < 3; ++i) call();
  synchronize(context.device, context.stream);
  world.barrier();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) call();
  synchronize(context.device, context.stream);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return took.count() / calls;
}

void measure(Communicator& world, const Way& way) {
  const Device device{DeviceType::cuda, static_cast<std::int16_t>(world.rank())};
  const OwnedStream stream(device);
  Context context(device, 0);
  context.stream = stream.get();
  context.lane = way.lane;
  const std::int64_t ranks = world.size();
  const std::size_t largest = static_cast<std::size_t>(sizes.back()) << 20;
  CollectiveCapacity capacity;
  capacity.bytes = largest;
  if (way.begun) capacity.begun_bytes = largest / static_cast<std::size_t>(ranks);
  capacity.begun = way.begun ? 1 : 0;
  capacity.sums_beside = way.lane == TraceLane::communication;
  world.connect(device, capacity);
  const Buffer memory(device, largest);
  for (const std::int64_t size : sizes) {
    const std::int64_t part = (size << 20) / 2 / ranks / 64 * 64;
    const Tensor all = memory.tensor(DType::bf16, {part * ranks});
    const Tensor mine = all.slice(world.rank() * part, part);
    const double received = static_cast<double>(mine.bytes()) * static_cast<double>(ranks - 1);
    const auto rate = [&](double bytes, auto&& call) {
      return bytes / seconds(world, context, call) / 1e9;
    };
    const double gather = rate(received, [&] { world.all_gather(context, mine, all); });
    const double scatter = rate(received, [&] {
      if (!way.begun) return world.reduce_scatter(context, all, mine);
      if (const auto add = world.begin_reduce_scatter(context, all, mine)) add(context);
    });
    const double reduce = rate(2 * received, [&] { world.all_reduce(context, all); });
    if (world.rank() == 0) {
      fmt::print("{:>20} {:>6} MiB {:>10.0f} {:>14.0f} {:>10.0f}\n", way.name, size, gather,
                 scatter, reduce);
      std::fflush(stdout);
    }
  }
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) {
  using namespace fathom;
  const int gpus = cuda::device_count();
  const int ranks = argc > 1 ? std::atoi(argv[1]) : gpus;
  if (ranks < 2 || ranks > gpus) {
    fmt::print(stderr,
               "gpu_comm_bench [RANKS]: from 2 ranks to as many as there are GPUs, of which this "
               "machine has {}\n",
               gpus);
    return 2;
  }
  fmt::print("{} GPUs, GB/s           all-gather reduce-scatter all-reduce\n", ranks);
  for (const Way& way : ways) {
    CommunicatorOptions options;
    options.peer_memory = way.peer_memory;
    run_thread_ranks(ranks, options, [&](Communicator& world) { measure(world, way); });
  }
  return 0;
}
