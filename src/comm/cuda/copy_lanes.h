// Streams beside a rank's own on which copies from other GPUs run at once: a copy from one
// keeps a link busy for a part of the time only.
#pragma once

#include <memory>
#include <vector>

#include "core/context.h"
#include "core/stream.h"

namespace fathom::comm_cuda {

class CopyLanes {
 public:
  CopyLanes(Device device, int count);
  // Copies queued in the lanes from now on run after all work that `context` has queued.
  void fork(Context& context);
  // Work that `context` queues from now on runs after all copies of the lanes.
  void join(Context& context);
  void wait(const Event& event);
  Stream at(std::size_t i) const { return lanes_[i]->get(); }

 private:
  std::vector<std::unique_ptr<OwnedStream>> lanes_;
  std::vector<Event> ends_;
  Event begin_;
};

}  // namespace fathom::comm_cuda
