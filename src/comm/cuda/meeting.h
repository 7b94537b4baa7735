// Meeting: ranks that are threads of one process exchange addresses of their memory. Each brings an
// address and an event of its stream. No message is sent and no GPU is waited for: a rank that
// comes early polls for the others, at first without sleeping, for they are usually microseconds
// away.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "core/stream.h"

namespace fathom::comm_cuda {

class Meeting {
 public:
  // Collective. `ended` and `group` outlive it: once it is true, meet() throws.
  // `timeout_seconds`: that a rank may let the others wait; a runtime Error names it then.
  Meeting(Communicator& group, Device device, double timeout_seconds,
          const std::atomic<bool>& ended);

  // Returns every rank's address. Work that this rank queues from now on runs after all work that
  // the others had queued before they came here. Errors name `operation`. Afterwards another GPU
  // may be the calling thread's current one.
  std::vector<std::byte*> meet(Context& context, const char* operation, void* address);

 private:
  // A rank uses its events and addresses in turn. When it comes again, all ranks have come to the
  // meeting before, and so have left the one before that.
  static constexpr std::size_t turns = 4;
  struct Seat {
    std::vector<Event> events;
    std::array<void*, turns> addresses{};
    std::atomic<std::size_t> meetings = 0;  // that the rank has come to
    std::atomic<bool> left = false;         // by an exception: its memory may be gone
  };
  // Until the rank has come to so many.
  void await(std::size_t rank, std::size_t meetings, const char* operation) const;
  void require_all_well() const;

  Communicator& group_;
  double timeout_seconds_;
  const std::atomic<bool>& ended_;
  // All ranks own them, so that one that ends first takes nothing away.
  std::vector<std::shared_ptr<Seat>> seats_;
};

}  // namespace fathom::comm_cuda
