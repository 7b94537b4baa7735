// A loader's batch on the device, as the stage wants it.
#pragma once

#include <vector>

#include "core/context.h"
#include "core/stream.h"
#include "data/batch.h"
#include "model/stage.h"

namespace fathom {

// Memory for one micro-batch of at most `tokens` tokens, filled again and again. On a GPU
// there are two places that take turns, so that the next step's batch travels from
// page-locked memory while the device computes with this one's, and the host waits for
// neither.
class DeviceBatch {
 public:
  // `uploads` carries the copies, and outlives this.
  DeviceBatch(const OwnedStream& uploads, std::int64_t tokens);
  // Bytes of the device. A GPU takes as many page-locked bytes of the host too.
  static std::size_t bytes(Device device, std::int64_t tokens);

  // The batch's tensors, for work queued on the context's stream from now until the next
  // call. `batch` is free at once.
  MicroBatch upload(Context& context, const Batch& batch);

 private:
  struct Place {
    Buffer memory;
    HostBuffer host;  // none on the CPU
    Event arrived;    // the copy from `host` has ended
    Event free;       // the work that reads `memory` has ended
  };

  Stream uploads_;
  std::int64_t tokens_;
  std::vector<Place> places_;
  std::size_t now_ = 0;  // the place filled last
};

}  // namespace fathom
