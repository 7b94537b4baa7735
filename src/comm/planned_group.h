// A group whose other ranks are only planned: nothing is started, nothing is exchanged, and the
// context's observer hears of each exchange. The memory and the time of a rank of any layout are
// planned with it, on one machine. Tensors are of the meta device.
#pragma once

#include "comm/echo_group.h"
#include "comm/exchange_observer.h"

namespace fathom {

class PlannedGroup final : public EchoGroup {
 public:
  // `way`: of all tensors of GPUs.
  PlannedGroup(const GroupPlace& place, ExchangeWay way)
      : EchoGroup(place.rank, place.size), place_(place), way_(way) {}

  ExchangeWay planned_way(Device) const override { return way_; }
  void all_reduce(Context& context, Tensor x, Reduction) override;
  void reduce_scatter(Context& context, Tensor from, Tensor to) override;
  // NCCL adds while it exchanges: then the function is empty.
  std::function<void(Context&)> begin_reduce_scatter(Context& context, Tensor from,
                                                     Tensor to) override;
  void all_gather(Context& context, Tensor from, Tensor to) override;
  void broadcast(Context& context, Tensor x, int root) override;
  // A group of the same ranks, as if all had passed the same colour.
  std::unique_ptr<Communicator> split(int color, const std::string& name) override;
  // The group that ranks of different colours make, in which this rank has that place.
  std::unique_ptr<Communicator> split_at(int color, const std::string& name,
                                         const GroupPlace& place) override;
  bool only_planned() const override { return true; }

 private:
  void tell(Context& context, Exchange::Kind kind, std::size_t bytes) const;

  GroupPlace place_;
  ExchangeWay way_;
};

}  // namespace fathom
