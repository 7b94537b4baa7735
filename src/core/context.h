// Context: where an operation runs and what it may use there. One per rank and
// stream, passed by reference down to every operation.
#pragma once

#include <cstdint>
#include <memory>

#include "core/buffer.h"
#include "core/device.h"

namespace fathom {

class OperationObserver;
class Trace;
enum class TraceLane : std::uint8_t;

// Whether the same inputs give the same bits every time. On a CPU they always do.
enum class Determinism : std::uint8_t {
  fastest,       // sums over blocks may be added in the order in which they are ready
  reproducible,  // never, at a cost of speed and workspace
};

// What becomes of the operations' outputs.
enum class Outputs {
  kept,
  // Nobody looks at them: an operation may compute them many times over, also where it
  // adds to them, to find out by measurement which way is the fastest.
  discarded,
};

// How long the library's algorithms for a matrix product are looked through.
enum class AlgorithmSearch {
  usual,       // the ones that it proposes first
  exhaustive,  // all that it proposes: what the device gives for that shape at all
};

struct Context {
  Device device;
  Stream stream = nullptr;  // where CUDA work is queued
  Arena workspace;          // scratch of the operation that runs; empty between operations
  Determinism determinism = Determinism::fastest;
  Outputs outputs = Outputs::kept;
  AlgorithmSearch search = AlgorithmSearch::usual;
  OperationObserver* observer = nullptr;  // null: operations just run (core/observer.h)
  Trace* trace = nullptr;  // where what the stream does is noted (core/trace.h); null: nowhere
  // As what it is noted; and whether it runs beside the computing, which it should leave the
  // GPU's multiprocessors to.
  TraceLane lane{};
  // Handles and plans of the libraries that compute on a GPU, this context's alone. Operations
  // take them from a pool at first use (ops/cuda/libraries.h).
  std::shared_ptr<void> libraries;

  // Workspace for the largest scratch of any operation but attention, for which
  // ops::attention_workspace says: panels of converted operands on the CPU, cuBLASLt's on a GPU.
  static constexpr std::size_t default_workspace = std::size_t{64} << 20;

  explicit Context(Device device_, std::size_t workspace_bytes = default_workspace)
      : device(device_),
        workspace(device_.type == DeviceType::meta ? Arena::measuring()
                                                   : Arena(device_, workspace_bytes)) {}
};

}  // namespace fathom
