#include "comm/device_exchange.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <map>
#include <optional>

#include "comm/cuda/nccl_group.h"
#include "comm/cuda/shared_group.h"
#include "comm/cuda/shared_messages.h"
#include "core/cuda/check.h"
#include "core/error.h"
#include "core/trace.h"

namespace fathom {
namespace {

using comm_cuda::NcclAborts;
using comm_cuda::NcclChannel;
using comm_cuda::NcclGroup;
using comm_cuda::NcclOptions;
using comm_cuda::NcclWatch;
using comm_cuda::SharedGroup;
using comm_cuda::SharedMessages;

// What tells a GPU from all others, its number in its rank's process, and whether its rank can
// use NCCL.
struct Gpu {
  std::array<char, 16> uuid{};
  int index = 0;
  int has_nccl = 0;
};

Gpu gpu_of(Device device) {
  cudaDeviceProp properties{};
  cuda::check(cudaGetDeviceProperties(&properties, device.index), "asking for the GPU's number");
  Gpu gpu;
  gpu.index = device.index;
  std::copy(std::begin(properties.uuid.bytes), std::end(properties.uuid.bytes), gpu.uuid.begin());
  gpu.has_nccl = comm_cuda::has_nccl();
  return gpu;
}

// Of one process.
bool reach_each_other(const std::vector<Gpu>& gpus) {
  for (const Gpu& from : gpus) {
    for (const Gpu& to : gpus) {
      if (from.index == to.index) continue;
      int reaches = 0;
      cuda::check(cudaDeviceCanAccessPeer(&reaches, from.index, to.index),
                  "asking whether GPUs reach each other");
      if (!reaches) return false;
    }
  }
  return true;
}

// What runs on `device` may read the memory of the other GPUs from now on.
void reach(Device device, const std::vector<Gpu>& gpus) {
  cuda::check(cudaSetDevice(device.index), "choosing the device");
  for (const Gpu& gpu : gpus) {
    if (gpu.index == device.index) continue;
    const cudaError_t status = cudaDeviceEnablePeerAccess(gpu.index, 0);
    if (status == cudaErrorPeerAccessAlreadyEnabled) {
      cudaGetLastError();  // forgets it
    } else {
      cuda::check(status, "reaching another GPU's memory");
    }
  }
}

// NCCL takes one rank a GPU. Threads reach each other's memory where that is on one GPU, and
// on several when they are to.
ExchangeWay way_between(const std::vector<Gpu>& gpus, const ExchangeOptions& options) {
  bool distinct = true, same = true, has_nccl = true;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    has_nccl = has_nccl && gpus[i].has_nccl;
    same = same && gpus[i].uuid == gpus[0].uuid;
    for (std::size_t j = 0; j < i; ++j) distinct = distinct && gpus[i].uuid != gpus[j].uuid;
  }
  if (options.one_process && same) return ExchangeWay::one_gpu;
  if (options.one_process && options.peer_memory && reach_each_other(gpus)) {
    return ExchangeWay::peer_memory;
  }
  return distinct && has_nccl ? ExchangeWay::nccl : ExchangeWay::host_memory;
}

bool is_shared(ExchangeWay way) {
  return way == ExchangeWay::one_gpu || way == ExchangeWay::peer_memory;
}

class CudaExchange final : public DeviceExchange {
 public:
  CudaExchange(Communicator& group, ExchangeOptions options)
      : group_(group), options_(std::move(options)) {}
  // Nothing waits for the end of one communicator before all know that it is the end.
  ~CudaExchange() override {
    if (std::uncaught_exceptions() > 0) aborts_.abort_all();
  }

  bool all_reduce(Context& context, Tensor x, Reduction reduction) override {
    return by_group(context, "all-reduce",
                    [&](auto& way) { way.all_reduce(context, x, reduction); });
  }
  bool reduce_scatter(Context& context, Tensor from, Tensor to) override {
    return by_group(context, "reduce-scatter",
                    [&](auto& way) { way.reduce_scatter(context, from, to); });
  }
  std::function<void(Context&)> begin_reduce_scatter(Context& context, Tensor from,
                                                     Tensor to) override {
    if (!shared_ || !shared_->across()) return {};
    const TraceSpan span(context, TraceKind::communication, "reduce-scatter");
    return shared_->begin_reduce_scatter(context, from, to);
  }
  bool all_gather(Context& context, Tensor from, Tensor to) override {
    return by_group(context, "all-gather", [&](auto& way) { way.all_gather(context, from, to); });
  }
  bool broadcast(Context& context, Tensor x, int root) override {
    return by_group(context, "broadcast", [&](auto& way) { way.broadcast(context, x, root); });
  }

  void connect(Device device, const CollectiveCapacity& capacity) override {
    if (!way_) {
      const std::vector<Gpu> gpus = gather_values(group_, gpu_of(device));
      way_ = way_between(gpus, options_);
      if (is_shared(*way_)) {
        reach(device, gpus);
        const bool across = way_ == ExchangeWay::peer_memory;
        shared_ =
            std::make_unique<SharedGroup>(group_, device, across, options_.timeout.seconds, ended_);
      }
      if (way_ == ExchangeWay::nccl) {
        nccl_ = std::make_unique<NcclGroup>(group_, device, nccl_options());
      }
    }
    if (shared_) shared_->reserve(device, capacity);
  }

  // Of threads that do not all read each other's GPUs, those of some groups may share one, and
  // take less than NCCL.
  ExchangeWay planned_way(Device) const override {
    if (way_) return *way_;
    const ExchangeWay between_processes =
        comm_cuda::has_nccl() ? ExchangeWay::nccl : ExchangeWay::host_memory;
    if (!options_.one_process) return between_processes;
    std::vector<Gpu> gpus;
    for (int i = 0; i < cuda::device_count(); ++i) {
      gpus.push_back(gpu_of({DeviceType::cuda, static_cast<std::int16_t>(i)}));
    }
    const ExchangeWay way = way_between(gpus, options_);
    return is_shared(way) ? way : between_processes;
  }

  // All ranks open the routes in the same order, so of those that are left the first has both
  // its ends waiting for it.
  void open(Device device, std::span<const Route> routes, const RouteCapacity& capacity) override {
    const std::vector<Gpu> gpus = gather_values(group_, gpu_of(device));
    const auto gpu = [&](int rank) { return gpus[static_cast<std::size_t>(rank)]; };
    for (const Route& route : routes) {
      const bool ends_here = route.from == group_.rank() || route.to == group_.rank();
      if (!ends_here || lines_.contains(route)) continue;
      const std::vector<Gpu> ends{gpu(route.from), gpu(route.to)};
      Line line{way_between(ends, options_), nullptr, nullptr};
      if (is_shared(line.way)) reach(device, ends);
      if (is_shared(line.way) && route.from == group_.rank()) {
        const Device reader{DeviceType::cuda, static_cast<std::int16_t>(gpu(route.to).index)};
        line.messages =
            std::make_unique<SharedMessages>(device, reader, capacity, options_.timeout.seconds);
      }
      if (line.way == ExchangeWay::nccl) {
        line.channel = std::make_unique<NcclChannel>(group_, device, route, capacity,
                                                     nccl_options(), watch(device));
      }
      lines_.emplace(route, std::move(line));
    }
  }
  bool send(Context& context, Tensor x, int to, int tag) override {
    Line& line = line_of({group_.rank(), to, tag % 2});
    if (line.channel) line.channel->send(context, x);
    if (line.messages) line.messages->send(group_, context, x, to, tag);
    return line.way != ExchangeWay::host_memory;
  }
  bool receive(Context& context, Tensor x, int from, int tag) override {
    Line& line = line_of({from, group_.rank(), tag % 2});
    if (line.channel) line.channel->receive(context, x);
    if (is_shared(line.way)) SharedMessages::receive(group_, context, x, from, tag);
    return line.way != ExchangeWay::host_memory;
  }

  void cancel() override {
    ended_ = true;
    aborts_.abort_all();
  }

 private:
  struct Line {
    ExchangeWay way = ExchangeWay::host_memory;
    std::unique_ptr<SharedMessages> messages;  // where this rank sends and the way is shared
    std::unique_ptr<NcclChannel> channel;      // where the way is NCCL's
  };

  NcclWatch& watch(Device device) {
    if (!watch_) watch_ = std::make_unique<NcclWatch>(device, options_.timeout);
    return *watch_;
  }

  Line& line_of(const Route& route) {
    const auto found = lines_.find(route);
    if (found == lines_.end()) {
      fail_runtime("a message from {} to {} with an {} tag on a route that was not opened",
                   group_.name_of(route.from), group_.name_of(route.to),
                   route.parity == 0 ? "even" : "odd");
    }
    return found->second;
  }

  NcclOptions nccl_options() { return {aborts_, options_.timeout.seconds}; }

  template <class F>
  bool by_group(Context& context, const char* name, F&& collective) {
    if (nccl_) {
      collective(*nccl_);
      watch(context.device).queued(name, context.stream);
    }
    if (shared_) collective(*shared_);
    return nccl_ || shared_;
  }

  Communicator& group_;
  ExchangeOptions options_;
  std::optional<ExchangeWay> way_;  // of the collectives, once connected
  std::atomic<bool> ended_ = false;
  NcclAborts aborts_;  // outlives what it aborts
  std::unique_ptr<NcclGroup> nccl_;
  std::unique_ptr<SharedGroup> shared_;
  std::map<Route, Line> lines_;  // that begin or end here
  std::unique_ptr<NcclWatch> watch_;
};

}  // namespace

std::unique_ptr<DeviceExchange> make_device_exchange(Communicator& group, ExchangeOptions options) {
  return std::make_unique<CudaExchange>(group, std::move(options));
}

}  // namespace fathom
