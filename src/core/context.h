// Context: where an operation runs and what it may use there. One per rank and
// stream, passed by reference down to every operation.
#pragma once

#include <cstdint>

#include "core/buffer.h"
#include "core/device.h"

namespace fathom {

class Trace;
enum class TraceLane : std::uint8_t;

// What becomes of the operations' outputs.
enum class Outputs {
  kept,
  // Nobody looks at them: an operation may compute them many times over, also where it
  // adds to them, to find out by measurement which way is the fastest.
  discarded,
};

struct Context {
  Device device;
  Stream stream = nullptr;  // where CUDA work is queued
  Arena workspace;          // scratch of the operation that runs; empty between operations
  Outputs outputs = Outputs::kept;
  Trace* trace = nullptr;  // where what the stream does is noted (core/trace.h); null: nowhere
  TraceLane lane{};        // as what it is noted

  // Workspace for the largest scratch of any operation: per-thread tiles on the
  // CPU, cuBLASLt's and cuDNN's on a GPU.
  static constexpr std::size_t default_workspace = std::size_t{64} << 20;

  explicit Context(Device device_, std::size_t workspace_bytes = default_workspace)
      : device(device_),
        workspace(device_.type == DeviceType::meta ? Arena::measuring()
                                                   : Arena(device_, workspace_bytes)) {}
};

}  // namespace fathom
