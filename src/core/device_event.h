// A point in a stream's work: what waits for it, and how long the work between two
// took.
#pragma once

#include <chrono>
#include <utility>

#include "core/device.h"

namespace fathom {

// On CUDA a cudaEvent_t; on the CPU, where work is done when a call returns, a time.
class DeviceEvent {
 public:
  explicit DeviceEvent(Device device);
  DeviceEvent(DeviceEvent&& other) noexcept { swap(other); }
  DeviceEvent& operator=(DeviceEvent&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceEvent();

  // Marks the end of the work queued on `stream` so far.
  void record(Stream stream);
  // Blocks the host until the device has come to the mark; at once when there is none.
  void wait() const;
  // Seconds of the device from `earlier`, which stands before it on the same stream, to
  // this; waits for it. About half a microsecond of resolution on a GPU.
  double seconds_since(const DeviceEvent& earlier) const;

 private:
  void swap(DeviceEvent& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(handle_, other.handle_);
    std::swap(time_, other.time_);
  }

  Device device_;
  void* handle_ = nullptr;
  std::chrono::steady_clock::time_point time_{};
};

namespace cuda {
void* create_event(int device);
void destroy_event(void* event) noexcept;
void record_event(void* event, Stream stream);
void wait_for_event(void* event);
double seconds_between(void* earlier, void* later);
}  // namespace cuda

}  // namespace fathom
