// Where the ranks of a group that are threads of one process show each other their memory:
// each brings an address and a point in its stream's work. No message, and nobody waits for
// a GPU; who comes early looks for the others again and again, at first without sleeping, for
// the usual delay is microseconds.
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

  // Every rank's address, whose memory is as its stream had it when it came here: what this
  // rank queues from now on comes after that. Errors name `operation`. The calling thread may
  // have another GPU chosen afterwards.
  std::vector<std::byte*> meet(Context& context, const char* operation, void* address);

 private:
  // A rank uses its events and addresses in turn: it comes again only after all have come to
  // the meeting before, and so have left the one before that.
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
