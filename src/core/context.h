// Context: where an operation runs and what it may use there. One per rank and
// stream, passed by reference down to every operation.
#pragma once

#include "core/buffer.h"
#include "core/device.h"

namespace fathom {

class OperationObserver;

// How long the library's algorithms for a matrix product are looked through.
enum class AlgorithmSearch {
  usual,       // the few that it proposes first
  exhaustive,  // all that it proposes, longer: what the device gives for that shape at all
};

struct Context {
  Device device;
  Stream stream = nullptr;  // where CUDA work is queued
  Arena workspace;          // scratch of the operation that runs; empty between operations

  AlgorithmSearch search = AlgorithmSearch::usual;
  OperationObserver* observer = nullptr;  // null: operations just run (core/observer.h)

  // Workspace for the largest scratch of any operation: per-thread tiles on the
  // CPU, cuBLASLt's and cuDNN's on a GPU.
  static constexpr std::size_t default_workspace = std::size_t{64} << 20;

  explicit Context(Device device_, std::size_t workspace_bytes = default_workspace)
      : device(device_),
        workspace(device_.type == DeviceType::meta ? Arena::measuring()
                                                   : Arena(device_, workspace_bytes)) {}
};

}  // namespace fathom
