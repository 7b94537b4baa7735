// NCCL waits without a limit for a rank that does not come, and the host waits for NCCL. NcclWatch
// looks from a thread of its own whether the operations of a group's NCCL communicators end.
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
  Clock::time_point first_since_{};   // when the first of them became the first
  std::vector<Event> spare_;
  std::thread thread_;
};

}  // namespace fathom::comm_cuda
