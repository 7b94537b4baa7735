// Collectives of ranks that are threads of one process and share a GPU, or have GPUs that
// reach each other's memory: each rank reads the others' tensors where they are, after all
// have met. The streams order the work, and nobody waits for the device.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "comm/cuda/copy_lanes.h"
#include "comm/cuda/meeting.h"
#include "comm/exchange_memory.h"

namespace fathom::comm_cuda {

class SharedGroup {
 public:
  // Collective. `across`: not all ranks share one GPU. The rest is as Meeting's.
  SharedGroup(Communicator& group, Device device, bool across, double timeout_seconds,
              const std::atomic<bool>& ended);

  // Takes the memory for such collectives, in place of what was taken before.
  void reserve(Device device, const CollectiveCapacity& capacity);

  void all_reduce(Context& context, Tensor x, Reduction reduction);
  void reduce_scatter(Context& context, Tensor from, Tensor to);
  // As in Communicator, between GPUs.
  std::function<void(Context&)> begin_reduce_scatter(Context& context, Tensor from, Tensor to);
  void all_gather(Context& context, Tensor from, Tensor to);
  void broadcast(Context& context, Tensor x, int root);
  bool across() const { return lanes_.has_value(); }

 private:
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

  Communicator& group_;
  std::size_t me_, ranks_;
  Meeting meeting_;
  std::optional<CopyLanes> lanes_;  // where ranks have GPUs of their own
  ExchangeMemory memory_;
  // What lay in each slot of the fetched parts before, in one call.
  std::array<Event, exchange::fetch_slots> summed_;
};

}  // namespace fathom::comm_cuda
