#include "core/time_mark.h"

#include "core/stream.h"

namespace fathom {

TimeMark::TimeMark(Device device) : device_(device) {
  if (device.type == DeviceType::cuda) event_ = cuda::create_timed_event(device.index);
}

TimeMark::~TimeMark() {
  if (event_) cuda::destroy_event(event_);
}

void TimeMark::record(Stream stream) {
  if (event_) {
    cuda::record_event(device_.index, event_, stream);
  } else {
    time_ = std::chrono::steady_clock::now();
  }
}

double TimeMark::seconds_since(const TimeMark& earlier) const {
  if (!event_) return std::chrono::duration<double>(time_ - earlier.time_).count();
  cuda::wait_for_event(device_.index, event_);
  return cuda::seconds_between(earlier.event_, event_);
}

}  // namespace fathom
