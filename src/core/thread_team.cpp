#include "core/thread_team.h"

#include <thread>
#include <utility>

#include "core/error.h"

namespace fathom {
namespace {

constexpr int shares_shift = 16, number_shift = 32;

constexpr int shares_of(std::uint64_t state) {
  return static_cast<int>(state >> shares_shift & ThreadTeam::most_shares);
}
constexpr int next_of(std::uint64_t state) {
  return static_cast<int>(state & ThreadTeam::most_shares);
}

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// The `idle`-th time in a row that there is nothing to do. At first the next loop is a moment away;
// later others on the machine get the processor, should they want it.
constexpr int patience = 2000, yields = 100;
void wait_a_moment(int idle) {
  if (idle < patience) {
    pause_briefly();
  } else {
    std::this_thread::yield();
  }
}

}  // namespace

bool ThreadTeam::take_share() {
  std::uint64_t state = state_.load(std::memory_order_acquire);
  if (next_of(state) >= shares_of(state)) return false;
  if (!state_.compare_exchange_strong(state, state + 1, std::memory_order_acq_rel)) return true;
  // The loop cannot end before this share is done, so these are its own.
  const auto body = body_.load(std::memory_order_relaxed);
  void* const argument = argument_.load(std::memory_order_relaxed);
  try {
    body(argument, next_of(state));
  } catch (...) {
    const std::lock_guard lock(error_mutex_);
    if (!error_) error_ = std::current_exception();
  }
  done_.fetch_add(1, std::memory_order_release);
  return true;
}

void ThreadTeam::run(int shares, void (*body)(void*, int), void* argument) {
  require(shares >= 0 && shares <= most_shares, "a loop of {} shares", shares);
  body_.store(body, std::memory_order_relaxed);
  argument_.store(argument, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  const std::uint64_t number = (state_.load(std::memory_order_relaxed) >> number_shift) + 1;
  state_.store(number << number_shift | static_cast<std::uint64_t>(shares) << shares_shift,
               std::memory_order_seq_cst);
  wake();
  while (take_share()) {
  }
  for (int idle = 0; done_.load(std::memory_order_acquire) < shares; ++idle) wait_a_moment(idle);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadTeam::help() {
  for (int idle = 0; !released_.load(std::memory_order_acquire);) {
    const std::uint64_t seen = state_.load(std::memory_order_acquire);
    if (take_share()) {
      idle = 0;
    } else if (++idle < patience + yields) {
      wait_a_moment(idle);
    } else {
      sleep(seen);
      idle = 0;
    }
  }
}

// Either this thread sees the loop that another begins, or that one sees the sleeper: both first
// write and then read, in one order for all.
void ThreadTeam::sleep(std::uint64_t seen) {
  std::unique_lock lock(sleep_mutex_);
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (state_.load(std::memory_order_seq_cst) == seen &&
         !released_.load(std::memory_order_seq_cst)) {
    woken_.wait(lock);
  }
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

void ThreadTeam::wake() {
  if (sleepers_.load(std::memory_order_seq_cst) == 0) return;
  const std::lock_guard lock(sleep_mutex_);
  woken_.notify_all();
}

void ThreadTeam::release() {
  released_.store(true, std::memory_order_seq_cst);
  wake();
}

}  // namespace fathom
