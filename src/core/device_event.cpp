#include "core/device_event.h"

namespace fathom {

DeviceEvent::DeviceEvent(Device device) : device_(device) {
  if (device.type == DeviceType::cuda) handle_ = cuda::create_event(device.index);
}

DeviceEvent::~DeviceEvent() {
  if (handle_) cuda::destroy_event(handle_);
}

void DeviceEvent::record(Stream stream) {
  if (handle_) {
    cuda::record_event(handle_, stream);
  } else {
    time_ = std::chrono::steady_clock::now();
  }
}

void DeviceEvent::wait() const {
  if (handle_) cuda::wait_for_event(handle_);
}

double DeviceEvent::seconds_since(const DeviceEvent& earlier) const {
  if (!handle_) return std::chrono::duration<double>(time_ - earlier.time_).count();
  wait();
  return cuda::seconds_between(earlier.handle_, handle_);
}

}  // namespace fathom
