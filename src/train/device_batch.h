// A loader's batch on the device, as the stage wants it.
#pragma once

#include "core/context.h"
#include "data/batch.h"
#include "model/stage.h"

namespace fathom {

// Memory for one micro-batch of at most `tokens` tokens, filled again and again.
class DeviceBatch {
 public:
  DeviceBatch(Device device, std::int64_t tokens);
  static std::size_t bytes(std::int64_t tokens);

  // The batch's tensors, valid until the next call.
  MicroBatch upload(Context& context, const Batch& batch);

 private:
  Buffer memory_;
  std::int64_t tokens_;
};

}  // namespace fathom
