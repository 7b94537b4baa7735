#include "comm/planned_group.h"

namespace fathom {

void PlannedGroup::tell(Context& context, Exchange::Kind kind, std::size_t bytes) const {
  if (place_.size == 1) return;
  if (ExchangeObserver* const observer = exchange_observer(context)) {
    observer->exchange(context, {kind, place_.size, place_.stride, bytes});
  }
}

void PlannedGroup::all_reduce(Context& context, Tensor x, Reduction) {
  tell(context, Exchange::Kind::all_reduce, x.bytes());
}

void PlannedGroup::reduce_scatter(Context& context, Tensor from, Tensor) {
  tell(context, Exchange::Kind::reduce_scatter, from.bytes());
}

std::function<void(Context&)> PlannedGroup::begin_reduce_scatter(Context& context, Tensor from,
                                                                 Tensor to) {
  if (way_ == ExchangeWay::nccl) {
    reduce_scatter(context, from, to);
    return {};
  }
  tell(context, Exchange::Kind::fetch_parts, from.bytes());
  return [this, bytes = from.bytes()](Context& later) {
    tell(later, Exchange::Kind::add_parts, bytes);
  };
}

void PlannedGroup::all_gather(Context& context, Tensor, Tensor to) {
  tell(context, Exchange::Kind::all_gather, to.bytes());
}

void PlannedGroup::broadcast(Context& context, Tensor x, int) {
  tell(context, Exchange::Kind::broadcast, x.bytes());
}

std::unique_ptr<Communicator> PlannedGroup::split(int, const std::string&) {
  return std::make_unique<PlannedGroup>(place_, way_);
}

std::unique_ptr<Communicator> PlannedGroup::split_at(int, const std::string&,
                                                     const GroupPlace& place) {
  return std::make_unique<PlannedGroup>(place, way_);
}

}  // namespace fathom
