#include "comm/cuda/meeting.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/error.h"

namespace fathom::comm_cuda {

Meeting::Meeting(Communicator& group, Device device, double timeout_seconds,
                 const std::atomic<bool>& ended)
    : group_(group), timeout_seconds_(timeout_seconds), ended_(ended) {
  auto mine = std::make_shared<Seat>();
  for (std::size_t i = 0; i < turns; ++i) mine->events.emplace_back(device);
  // Stays where a rank fails meanwhile: another may read it yet.
  auto* const handle = new std::shared_ptr<Seat>(mine);
  for (const std::shared_ptr<Seat>* seat : gather_values(group, std::as_const(handle))) {
    seats_.push_back(*seat);
  }
  group.barrier();
  delete handle;
}

void Meeting::require_all_well() const {
  const bool left = std::ranges::any_of(seats_, [](const auto& seat) { return seat->left.load(); });
  if (left || ended_.load()) fail_runtime("another rank has failed, or this one");
}

void Meeting::await(std::size_t rank, std::size_t meetings, const char* operation) const {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::microseconds awake(200), nap(50);
  const Clock::time_point begin = Clock::now();
  while (seats_[rank]->meetings.load() < meetings) {
    require_all_well();
    const std::chrono::duration<double> waited = Clock::now() - begin;
    if (waited.count() > timeout_seconds_) {
      fail_runtime(
          "{} waited {} s for {}: it hangs, has died, or needs more than the time given "
          "(parallel.timeout_seconds)",
          operation, timeout_seconds_, group_.name_of(static_cast<int>(rank)));
    }
    if (waited < awake) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(nap);
    }
  }
}

std::vector<std::byte*> Meeting::meet(Context& context, const char* operation, void* address) {
  const auto me = static_cast<std::size_t>(group_.rank());
  Seat& mine = *seats_[me];
  const std::size_t number = mine.meetings.load() + 1, turn = number % turns;
  try {
    mine.addresses[turn] = address;
    mine.events[turn].record(context.stream);
    mine.meetings.store(number);
    std::vector<std::byte*> addresses;
    for (std::size_t rank = 0; rank < seats_.size(); ++rank) {
      await(rank, number, operation);
      addresses.push_back(static_cast<std::byte*>(seats_[rank]->addresses[turn]));
    }
    require_all_well();
    for (std::size_t rank = 0; rank < seats_.size(); ++rank) {
      if (rank != me) seats_[rank]->events[turn].block(context.stream);
    }
    return addresses;
  } catch (...) {
    mine.left = true;
    throw;
  }
}

}  // namespace fathom::comm_cuda
