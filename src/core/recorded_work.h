// Work of a stream that is recorded once and launched as a whole: a GPU starts its kernels without
// waiting for the host between them.
#pragma once

#include "core/device.h"

namespace fathom {

class RecordedWork {
 public:
  // Records what `work` queues on `stream`, which is not the default stream, and does not run it.
  // All addresses and sizes are recorded as they are. `work` may neither wait for the device nor
  // take memory from it. Takes the memory that a launch needs on the device; throws where there is
  // none.
  template <class F>
  RecordedWork(Device device, Stream stream, F&& work) : device_(device) {
    begin(stream);
    try {
      work();
    } catch (...) {
      abandon(stream);
      throw;
    }
    end(stream);
  }
  RecordedWork(const RecordedWork&) = delete;
  RecordedWork& operator=(const RecordedWork&) = delete;
  ~RecordedWork();

  void launch(Stream stream) const;  // behind all work queued on `stream` so far

 private:
  void begin(Stream stream);
  void end(Stream stream);
  void abandon(Stream stream) noexcept;

  Device device_;
  [[maybe_unused]] void* graph_ = nullptr;  // a cudaGraphExec_t
};

}  // namespace fathom
