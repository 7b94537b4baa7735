// Threads that stand by for many short parallel loops, which then begin and end without waking or
// waiting for anybody: each share of a loop's work is taken by the thread that comes first, and a
// thread that the system has put aside holds up none that it has not taken. Threads that find nothing
// to do for some time sleep until the next loop.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>

namespace fathom {

class ThreadTeam {
 public:
  static constexpr int most_shares = 0xffff;

  explicit ThreadTeam(int threads) : threads_(threads) {}
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int threads() const { return threads_; }
  // Called by one thread. body(argument, share) for share in [0, shares), at most most_shares, each on
  // this thread or on one that helps; returns when all are done. Rethrows the first exception.
  void run(int shares, void (*body)(void*, int), void* argument);
  // Called by the others: takes shares until release().
  void help();
  void release();

 private:
  // Takes a share of the running loop, if one is left, and does it.
  bool take_share();
  // Until the state is another than `seen`, or the team is released.
  void sleep(std::uint64_t seen);
  void wake();

  int threads_;
  // The loop's number, its shares and the next of them, in 32, 16 and 16 bits, so that no share of
  // a loop can be taken by what was known of the one before.
  alignas(64) std::atomic<std::uint64_t> state_{0};
  std::atomic<void (*)(void*, int)> body_{nullptr};
  std::atomic<void*> argument_{nullptr};
  std::atomic<bool> released_{false};
  alignas(64) std::atomic<int> done_{0};
  std::mutex error_mutex_;
  std::exception_ptr error_;
  std::atomic<int> sleepers_{0};
  std::mutex sleep_mutex_;
  std::condition_variable woken_;
};

}  // namespace fathom
