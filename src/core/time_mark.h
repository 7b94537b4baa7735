// How long a device's work took, by its own clock.
#pragma once

#include <chrono>
#include <utility>

#include "core/device.h"

namespace fathom {

// A point in a stream's work and the time at which the device came to it: on CUDA an event,
// on the CPU, where work is done when a call returns, the clock.
class TimeMark {
 public:
  explicit TimeMark(Device device);
  TimeMark(TimeMark&& other) noexcept { swap(other); }
  TimeMark& operator=(TimeMark&& other) noexcept {
    swap(other);
    return *this;
  }
  ~TimeMark();

  void record(Stream stream);  // after all that is queued there now
  // Seconds from `earlier`, recorded on the same stream before; waits until the device has
  // come here. A GPU resolves about half a microsecond.
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
