// What an operation's call computes and moves, from its arguments alone.
#pragma once

#include <string>

#include "core/observer.h"
#include "model/config.h"

namespace fathom::measure {

// Which rate limits an operation.
enum class Bound {
  products,  // matrix products: the library's best for the shape is the ceiling
  memory,    // the rate of a copy is the ceiling
};

struct OperationCost {
  std::string name;   // "gate_up wgrad"; without a role of its own, the operation's
  std::string shape;  // "8192 x 4096 x 22016": tokens, in, out
  Bound bound = Bound::memory;
  double flops = 0;  // of matrix products alone
  double bytes = 0;  // that must be read and written at least
};

// Of one call inside a training step of `model`.
OperationCost cost_of(const Operation& operation, const ModelConfig& model);

}  // namespace fathom::measure
