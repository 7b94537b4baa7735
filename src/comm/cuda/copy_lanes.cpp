#include "comm/cuda/copy_lanes.h"

namespace fathom::comm_cuda {

CopyLanes::CopyLanes(Device device, int count) : begin_(device) {
  for (int i = 0; i < count; ++i) {
    lanes_.push_back(std::make_unique<OwnedStream>(device, StreamPriority::high));
    ends_.emplace_back(device);
  }
}

void CopyLanes::fork(Context& context) {
  begin_.record(context.stream);
  wait(begin_);
}

void CopyLanes::join(Context& context) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    ends_[i].record(lanes_[i]->get());
    ends_[i].block(context.stream);
  }
}

void CopyLanes::wait(const Event& event) {
  for (const auto& lane : lanes_) event.block(lane->get());
}

}  // namespace fathom::comm_cuda
