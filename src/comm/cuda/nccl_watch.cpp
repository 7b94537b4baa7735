#include "comm/cuda/nccl_watch.h"

#include <algorithm>
#include <exception>

namespace fathom::comm_cuda {

NcclWatch::NcclWatch(Device device, ExchangeTimeout timeout)
    : device_(device), timeout_(std::move(timeout)), thread_([this] { run(); }) {}

NcclWatch::~NcclWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void NcclWatch::forget_done() {
  while (!operations_.empty() && operations_.front().done.reached()) {
    spare_.push_back(std::move(operations_.front().done));
    operations_.pop_front();
    first_since_ = Clock::now();
  }
}

void NcclWatch::queued(const char* operation, Stream stream) {
  const std::lock_guard lock(mutex_);
  forget_done();
  if (operations_.empty()) first_since_ = Clock::now();
  if (spare_.empty()) spare_.emplace_back(device_);
  operations_.push_back({operation, std::move(spare_.back())});
  spare_.pop_back();
  operations_.back().done.record(stream);
}

void NcclWatch::run() {
  const std::chrono::duration<double> timeout(timeout_.seconds);
  const std::chrono::duration<double> period =
      std::min(timeout / 10, std::chrono::duration<double>(1));
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, period, [&] { return stopping_; })) {
    try {
      forget_done();
    } catch (const std::exception&) {
      return;  // the GPU is gone, as who works with it hears
    }
    if (operations_.empty() || Clock::now() - first_since_ < timeout) continue;
    const char* const late = operations_.front().name;
    lock.unlock();
    timeout_.late(late);
    return;
  }
}

}  // namespace fathom::comm_cuda
