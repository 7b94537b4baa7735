// Stands in for comm/cuda in a build without CUDA, where no tensor is on a GPU.
#include "comm/device_exchange.h"

namespace fathom {
namespace {

class NoExchange final : public DeviceExchange {
  bool all_reduce(Context&, Tensor, Reduction) override { return false; }
  bool reduce_scatter(Context&, Tensor, Tensor) override { return false; }
  std::function<void(Context&)> begin_reduce_scatter(Context&, Tensor, Tensor) override {
    return {};
  }
  bool all_gather(Context&, Tensor, Tensor) override { return false; }
  bool broadcast(Context&, Tensor, int) override { return false; }
  void connect(Device, const CollectiveCapacity&) override {}
  ExchangeWay planned_way(Device) const override { return ExchangeWay::host_memory; }
  void open(Device, std::span<const Route>, const RouteCapacity&) override {}
  bool send(Context&, Tensor, int, int) override { return false; }
  bool receive(Context&, Tensor, int, int) override { return false; }
  void cancel() override {}
};

}  // namespace

std::unique_ptr<DeviceExchange> make_device_exchange(Communicator&, ExchangeOptions) {
  return std::make_unique<NoExchange>();
}

}  // namespace fathom
