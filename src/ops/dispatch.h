// Picks an operation's implementation by its device, for the file that checks its arguments.
#pragma once

#include <source_location>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "core/context.h"
#include "core/error.h"
#include "core/observer.h"
#include "ops/attention.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/fp8.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
#include "ops/sampling.h"
#include "ops/swiglu.h"

// One implementation a device, with the signature of the operation itself.
namespace fathom::ops::cpu {
#include "ops/kernels.inc"
std::size_t attention_workspace(DType, const HeadShape&, const AttentionBounds&);
}  // namespace fathom::ops::cpu
namespace fathom::ops::cuda {
#include "ops/kernels.inc"
std::size_t attention_workspace(DType, const HeadShape&, const AttentionBounds&, Determinism);
std::string attention_backend();
}  // namespace fathom::ops::cuda

namespace fathom::ops {

// A context and the name of the operation that calls on_device().
struct Caller {
  Context& context;
  std::source_location place;

  Caller(Context& context_, std::source_location place_ = std::source_location::current())
      : context(context_), place(place_) {}
  // "linear" of "void fathom::ops::linear(fathom::Context&, ...)".
  std::string name() const {
    const std::string function = place.function_name();
    const std::string before = function.substr(0, function.find('('));
    return before.substr(before.find_last_of(": ") + 1);
  }
};

// What on_device() tells an observer about an argument.
inline void note(Operation& operation, const Tensor& tensor) {
  operation.tensors.push_back(tensor);
}
inline void note(Operation& operation, const Segments& segments) {
  operation.tensors.push_back(segments.offsets);
}
inline void note(Operation& operation, const Fp8Matrix& matrix) {
  operation.tensors.push_back(matrix.values);
}
inline void note(Operation& operation, Fp8Role role) {
  if (role == Fp8Role::input_gradient) operation.name += "_backward_input";
  if (role == Fp8Role::weight_gradient) operation.name += "_backward_weight";
}
inline void note(Operation& operation, Accumulate accumulate) {
  operation.in_place = accumulate == Accumulate::add;
}
inline void note(Operation& operation, Incoming incoming) {
  operation.in_place = incoming == Incoming::add;
}
inline void note(Operation& operation, LogitsGradient gradient) {
  operation.in_place = gradient == LogitsGradient::overwrite;
}
inline void note(Operation& operation, const DrawnTokens& drawn) {
  operation.tensors.push_back(drawn.tokens);
}
inline void note(Operation& operation, std::span<const AdamWSlice> slices) {
  for (const AdamWSlice& slice : slices) {
    operation.tensors.push_back(slice.grad);
    operation.bytes += static_cast<double>(slice.grad.bytes());
    for (const Tensor& changed : {slice.m, slice.v, slice.weight, slice.remainder}) {
      if (!changed) continue;
      operation.tensors.push_back(changed);
      operation.bytes += 2.0 * static_cast<double>(changed.bytes());
    }
  }
}
template <class T>
void note(Operation&, const T&) {}

// Calls the implementation for the context's device; on meta, where only shapes
// are checked, none.
template <class... Parameters, class... Args>
void on_device(Caller caller, void (*cpu)(Context&, Parameters...),
               void (*cuda)(Context&, Parameters...), Args&&... args) {
  Context& context = caller.context;
  if (context.observer) [[unlikely]] {
    Operation operation;
    operation.name = caller.name();
    (note(operation, args), ...);
    operation.run = [cpu, cuda, ... values = std::decay_t<Args>(args)](Context& c) {
      if (c.device.type == DeviceType::cpu) cpu(c, values...);
      if (c.device.type == DeviceType::cuda) cuda(c, values...);
    };
    return context.observer->observe(context, operation);
  }
  if (context.device.type == DeviceType::cpu) cpu(context, std::forward<Args>(args)...);
  if (context.device.type == DeviceType::cuda) cuda(context, std::forward<Args>(args)...);
}

}  // namespace fathom::ops
