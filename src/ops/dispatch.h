// How an operation's one checking file picks its implementation.
#pragma once

#include <utility>

#include "core/context.h"
#include "core/error.h"
#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/swiglu.h"

// One implementation a device, with the signature of the operation itself.
namespace fathom::ops::cpu {
#include "ops/kernels.inc"
}
namespace fathom::ops::cuda {
#include "ops/kernels.inc"
std::size_t attention_workspace(DType, const HeadShape&, const AttentionBounds&, Determinism);
std::string attention_backend();
}  // namespace fathom::ops::cuda

namespace fathom::ops {

// Calls the implementation for the context's device; on meta, where only shapes
// are checked, none.
template <class... Parameters, class... Args>
void on_device(Context& context, void (*cpu)(Context&, Parameters...),
               void (*cuda)(Context&, Parameters...), Args&&... args) {
  if (context.device.type == DeviceType::cpu) cpu(context, std::forward<Args>(args)...);
  if (context.device.type == DeviceType::cuda) cuda(context, std::forward<Args>(args)...);
}

}  // namespace fathom::ops
