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

// Whether anybody reads the operations' outputs.
enum class Outputs {
  kept,
  // Nobody does: an operation may run several times, also one that adds to its output, to
  // measure which of its algorithms is the fastest.
  discarded,
};

// Whether the bits of a row of an operation's output may depend on other sequences' rows beside it.
enum class BatchInvariance : std::uint8_t {
  off,  // an operation takes the fastest way for the number of rows
  // Never, in the operations of a forward pass: each sums in one order whatever the number of rows,
  // at a cost of speed. A row's order may depend on its own sequence, and attention to a cache
  // has another one than attention without.
  on,
};

// When a GPU starts the kernels of a stream.
enum class KernelStart {
  in_turn,  // each after the one before it
  // Of kernels that can (ops/cuda/launch.h), a block may start while the kernel before it ends,
  // and fetch what no kernel writes. For streams whose work comes in one line.
  early,
};

// How many of the library's algorithms for a matrix product are measured.
enum class AlgorithmSearch {
  usual,       // those that the library proposes first
  exhaustive,  // all that it proposes, to find the device's best rate for that shape
};

struct Context {
  Device device;
  Stream stream = nullptr;  // where CUDA work is queued
  // Scratch of the running operation. Between operations it holds the FP8 operands of a linear
  // layer's products and nothing else.
  Arena workspace;
  Determinism determinism = Determinism::fastest;
  Outputs outputs = Outputs::kept;
  AlgorithmSearch search = AlgorithmSearch::usual;
  BatchInvariance batch_invariance = BatchInvariance::off;
  KernelStart kernel_start = KernelStart::in_turn;
  // Whether layers whose weights have FP8 copies multiply with them; `workspace` then has room for
  // the other operands.
  bool fp8_products = false;
  OperationObserver* observer = nullptr;  // null: operations just run (core/observer.h)
  Trace* trace = nullptr;  // records the work of the stream (core/trace.h); null: no record
  // Lane of this stream in the trace. The communication lane overlaps compute and must leave
  // the GPU's multiprocessors to it.
  TraceLane lane{};
  // Handles and plans of the GPU libraries, owned by this context alone. Operations take them
  // from a pool at first use (ops/cuda/libraries.h).
  std::shared_ptr<void> libraries;

  // Largest scratch of any operation except attention: panels of converted operands on the
  // CPU, cuBLASLt's workspace on a GPU. ops::attention_workspace gives attention's.
  static constexpr std::size_t default_workspace = std::size_t{64} << 20;

  explicit Context(Device device_, std::size_t workspace_bytes = default_workspace)
      : device(device_),
        workspace(device_.type == DeviceType::meta ? Arena::measuring()
                                                   : Arena(device_, workspace_bytes)) {}
};

}  // namespace fathom
