// ExchangeMemory: what a rank holds for the collectives of a group whose ranks read each other's
// tensors, on one GPU or on several (comm/cuda/shared_group.h). All of it is taken when the group
// connects.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "comm/capacity.h"
#include "core/buffer.h"
#include "core/stream.h"

namespace fathom {

// The others' parts of a sum, from begin_reduce_scatter() until they are added.
struct BegunSum {
  BegunSum(Device device, std::size_t bytes) : memory(device, bytes), added(device) {}
  Buffer memory;
  Event added;
  std::atomic<bool> taken = false;  // false: it may be used again, after `added`
};

class ExchangeMemory {
 public:
  ExchangeMemory() = default;
  // Takes exchange_bytes(way, ranks, capacity) of the device.
  ExchangeMemory(Device device, ExchangeWay way, int ranks, const CollectiveCapacity& capacity);
  std::size_t bytes() const;  // that were taken

  // The following throw a runtime Error that names both sizes where there is less.
  // A place like `to`, for a result that cannot be put there yet.
  Tensor displaced(Tensor to) const;
  // Of exchange::fetch_slots slots of this size, one after another.
  std::byte* fetched(std::size_t slot_bytes) const;
  // The one that was taken first of those that are free, now taken. Free is said on the host: the
  // GPU may still read what was taken last.
  std::shared_ptr<BegunSum> begin(std::size_t bytes);

 private:
  Buffer displaced_, fetched_;
  std::vector<std::shared_ptr<BegunSum>> begun_;
};

}  // namespace fathom
