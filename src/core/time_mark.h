// Measures the time of a device's work by the device's own clock.
#pragma once

#include <chrono>
#include <utility>

#include "core/device.h"

namespace fathom {

// A point in a stream's work, and the time at which the device reached it: a CUDA event, or
// on the CPU, where work is done when a call returns, a time of the steady clock.
class TimeMark {
 public:
  explicit TimeMark(Device device);
  TimeMark(TimeMark&& other) noexcept { swap(other); }
  TimeMark& operator=(TimeMark&& other) noexcept {
    swap(other);
    return *this;
  }
  ~TimeMark();

  void record(Stream stream);  // behind all work queued on `stream` so far
  // Seconds since `earlier`, which was recorded on the same stream before. Waits until the
  // device reaches this mark. The resolution of a GPU is about half a microsecond.
  double seconds_since(const TimeMark& earlier) const;

 private:
  void swap(TimeMark& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(event_, other.event_);
    std::swap(time_, other.time_);
  }

  Device device_;
  void* event_ = nullptr;  // a cudaEvent_t; null on the CPU
  std::chrono::steady_clock::time_point time_{};
};

}  // namespace fathom
