// Collectives of ranks that are threads of one process and share a GPU, or have GPUs that
// reach each other's memory: each rank reads the others' tensors where they are, after all
// have met. The streams order the work, and nobody waits for the device.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "comm/cuda/copy_lanes.h"
#include "comm/cuda/meeting.h"

namespace fathom::comm_cuda {

class SharedGroup {
 public:
  // Collective. `across`: not all ranks share one GPU. The rest is as Meeting's.
  SharedGroup(Communicator& group, Device device, bool across, double timeout_seconds,
              const std::atomic<bool>& ended);

  void all_reduce(Context& context, Tensor x, Reduction reduction);
  void reduce_scatter(Context& context, Tensor from, Tensor to);
  // As in Communicator, between GPUs.
  std::function<void(Context&)> begin_reduce_scatter(Context& context, Tensor from, Tensor to);
  void all_gather(Context& context, Tensor from, Tensor to);
  void broadcast(Context& context, Tensor x, int root);
  bool across() const { return lanes_.has_value(); }

 private:
  // The others' parts of a sum, from begin_reduce_scatter() until they are added.
  struct Fetched {
    Fetched(Device device, std::size_t bytes) : memory(device, bytes), added(device) {}
    Buffer memory;
    Event added;
    std::atomic<bool> taken = true;  // it may be used again, after `added`
  };
  using Arrays = std::vector<std::byte*>;  // every rank's, in their order
  // Copies part(rank) = {to, from, bytes} of every rank.
  template <class F>
  void take_parts(Context& context, F&& part);
  // to = the reduction of everyone's [offset, offset + to.bytes()), which nobody else reads.
  void reduce(Context& context, const Arrays& arrays, std::size_t offset, Tensor to,
              Reduction reduction);
  void reduce_fetched(Context& context, const Arrays& arrays, std::size_t offset, Tensor to,
                      Reduction reduction);
  // The others' [first, first + bytes) on their way to `fetched`; and where all will be.
  std::vector<const void*> fetch(Context& context, const Arrays& arrays, std::size_t first,
                                 std::size_t bytes, std::byte* fetched);
  std::size_t other(std::size_t i) const;  // the i-th after this rank: another for each at a time
  std::shared_ptr<Fetched> memory_for(Device device, std::size_t bytes);

  Communicator& group_;
  std::size_t me_, ranks_;
  Meeting meeting_;
  std::optional<CopyLanes> lanes_;  // where ranks have GPUs of their own
  Buffer result_, fetched_;
  std::vector<std::shared_ptr<Fetched>> begun_;
  std::array<Event, 4> summed_;  // what lay in each slot of `fetched_` before, in one call
};

}  // namespace fathom::comm_cuda
