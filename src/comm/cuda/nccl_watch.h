// NCCL waits for a rank that does not come for as long as it takes, and the host with it.
// This watches from a thread of its own what a group's NCCL communicators have to do.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "comm/device_exchange.h"
#include "core/stream.h"

namespace fathom::comm_cuda {

class NcclWatch {
 public:
  NcclWatch(Device device, ExchangeTimeout timeout);
  ~NcclWatch();
  NcclWatch(const NcclWatch&) = delete;
  NcclWatch& operator=(const NcclWatch&) = delete;

  // `operation`, a literal, has just been queued there.
  void queued(const char* operation, Stream stream);

 private:
  struct Operation {
    const char* name;
    Event done;
  };
  using Clock = std::chrono::steady_clock;

  void run();
  void forget_done();

  Device device_;
  ExchangeTimeout timeout_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::deque<Operation> operations_;  // queued, the first not known to be done
  Clock::time_point first_since_{};   // that the first of them is the first
  std::vector<Event> spare_;
  std::thread thread_;
};

}  // namespace fathom::comm_cuda
