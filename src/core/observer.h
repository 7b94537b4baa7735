// Lets `fathom bench` time each operation inside a real training step, without the
// layers knowing.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace fathom {

struct Context;

// One call of an operation.
struct Operation {
  std::string name;             // of its function: "add_rmsnorm"
  std::vector<Tensor> tensors;  // its arguments in order, without those that were left out
  bool in_place = false;        // an output is also an input: added to, or overwritten
  // Runs the operation; may be called any number of times. It holds copies of the arguments;
  // their memory stays the caller's.
  std::function<void(Context&)> run;
  double bytes = 0;  // read and written; 0: as the arguments tell (measure/cost.h)
};

// Set as Context::observer, it receives every operation instead of the operation running.
class OperationObserver {
 public:
  virtual ~OperationObserver() = default;
  // Must call operation.run(context) at least once.
  virtual void observe(Context& context, const Operation& operation) = 0;
};

}  // namespace fathom
