#include "comm/device_exchange.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>

#include "comm/cuda/nccl_group.h"
#include "comm/cuda/shared_group.h"
#include "core/cuda/check.h"
#include "core/error.h"

namespace fathom {
namespace {

using comm_cuda::NcclChannel;
using comm_cuda::NcclGroup;
using comm_cuda::SharedGroup;
using comm_cuda::SharedMessages;

enum class Way { host, shared, nccl };

// What tells a GPU from all others, and whether its rank can use NCCL.
struct Gpu {
  std::array<char, 16> uuid{};
  int has_nccl = 0;
};

Gpu gpu_of(Device device) {
  cudaDeviceProp properties{};
  cuda::check(cudaGetDeviceProperties(&properties, device.index), "asking for the GPU's number");
  Gpu gpu;
  std::copy(std::begin(properties.uuid.bytes), std::end(properties.uuid.bytes), gpu.uuid.begin());
  gpu.has_nccl = comm_cuda::has_nccl();
  return gpu;
}

// NCCL takes one rank a GPU. Without it, threads reach each other's memory where that is
// on one GPU.
Way way_between(const std::vector<Gpu>& gpus, bool one_process) {
  bool distinct = true, same = true, has_nccl = true;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    has_nccl = has_nccl && gpus[i].has_nccl;
    same = same && gpus[i].uuid == gpus[0].uuid;
    for (std::size_t j = 0; j < i; ++j) distinct = distinct && gpus[i].uuid != gpus[j].uuid;
  }
  if (distinct && has_nccl) return Way::nccl;
  return same && one_process ? Way::shared : Way::host;
}

class CudaExchange final : public DeviceExchange {
 public:
  CudaExchange(Communicator& group, bool one_process) : group_(group), one_process_(one_process) {}

  bool all_reduce(Context& context, Tensor x, Reduction reduction) override {
    return by_group(context, [&](auto& way) { way.all_reduce(context, x, reduction); });
  }
  bool reduce_scatter(Context& context, Tensor from, Tensor to) override {
    return by_group(context, [&](auto& way) { way.reduce_scatter(context, from, to); });
  }
  bool all_gather(Context& context, Tensor from, Tensor to) override {
    return by_group(context, [&](auto& way) { way.all_gather(context, from, to); });
  }
  bool broadcast(Context& context, Tensor x, int root) override {
    return by_group(context, [&](auto& way) { way.broadcast(context, x, root); });
  }

  bool send(Context& context, Tensor x, int to, int tag) override {
    Pair& pair = pair_with(context, to, tag, NcclChannel::End::sender);
    if (pair.way == Way::nccl) pair.channel->send(context, x);
    if (pair.way == Way::shared) messages_.send(group_, context, x, to, tag);
    return pair.way != Way::host;
  }
  bool receive(Context& context, Tensor x, int from, int tag) override {
    Pair& pair = pair_with(context, from, tag, NcclChannel::End::receiver);
    if (pair.way == Way::nccl) pair.channel->receive(context, x);
    if (pair.way == Way::shared) SharedMessages::receive(group_, context, x, from, tag);
    return pair.way != Way::host;
  }

  void cancel() override {
    if (nccl_) nccl_->cancel();
    for (auto& [key, pair] : pairs_) {
      if (pair.channel) pair.channel->cancel();
    }
  }

 private:
  struct Pair {
    Way way = Way::host;
    std::unique_ptr<NcclChannel> channel;
  };

  // Collective the first time.
  template <class F>
  bool by_group(Context& context, F&& collective) {
    if (!decided_) {
      decided_ = true;
      const Way way = way_between(gather_values(group_, gpu_of(context.device)), one_process_);
      if (way == Way::nccl) nccl_ = std::make_unique<NcclGroup>(group_, context.device);
      if (way == Way::shared) shared_ = std::make_unique<SharedGroup>(group_, context.device);
    }
    if (nccl_) collective(*nccl_);
    if (shared_) collective(*shared_);
    return nccl_ || shared_;
  }

  // Both ends come here at their first message of the tag's parity in that direction.
  Pair& pair_with(Context& context, int peer, int tag, NcclChannel::End end) {
    const int direction = end == NcclChannel::End::sender ? 0 : 1, parity = tag % 2;
    const auto [found, is_new] = pairs_.try_emplace({peer, direction, parity});
    Pair& pair = found->second;
    if (!is_new) return pair;
    // The sender's tags to its peer are not those of the other direction's sender.
    const int sent_tag = exchange_tag - 4 + 2 * parity, answer_tag = sent_tag + 1;
    std::vector<Gpu> gpus{gpu_of(context.device), Gpu{}};
    Context host(cpu_device, 0);
    const auto message = [](Gpu& gpu) { return Tensor(&gpu, DType::u8, {sizeof gpu}); };
    const bool sends = end == NcclChannel::End::sender;
    group_.send(host, message(gpus[0]), peer, sends ? sent_tag : answer_tag);
    group_.receive(host, message(gpus[1]), peer, sends ? answer_tag : sent_tag);
    pair.way = way_between(gpus, one_process_);
    if (pair.way == Way::nccl) {
      pair.channel = std::make_unique<NcclChannel>(group_, context.device, peer, end, sent_tag);
    }
    return pair;
  }

  Communicator& group_;
  bool one_process_;
  bool decided_ = false;
  std::unique_ptr<NcclGroup> nccl_;
  std::unique_ptr<SharedGroup> shared_;
  SharedMessages messages_;
  std::map<std::array<int, 3>, Pair> pairs_;  // by peer, direction and parity of the tag
};

}  // namespace

std::unique_ptr<DeviceExchange> make_device_exchange(Communicator& group, bool one_process) {
  return std::make_unique<CudaExchange>(group, one_process);
}

}  // namespace fathom
