// Watching the operations that run: how `fathom bench` times each of them inside a
// real training step, without the layers knowing.
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
  std::string name;             // its function's: "add_rmsnorm"
  std::vector<Tensor> tensors;  // its arguments in their order; those left out are absent here too
  // An output is read as well: added to, or overwritten in place.
  bool in_place = false;
  // Runs it, any number of times: it owns copies of the arguments, the memory stays the
  // caller's.
  std::function<void(Context&)> run;
};

// Set as Context::observer, it is handed every operation in place of its running.
class OperationObserver {
 public:
  virtual ~OperationObserver() = default;
  // Has to call operation.run(context) once.
  virtual void observe(Context& context, const Operation& operation) = 0;
};

}  // namespace fathom
