// Operations as an observer sees them: the arguments' order is the operations' own.
#pragma once

#include <functional>

#include "core/context.h"
#include "core/observer.h"

namespace fathom::test {

// A tensor that stands for memory which is only planned.
inline Tensor meta(Shape shape, DType dtype = DType::bf16) {
  return {nullptr, dtype, shape, meta_device};
}

// The one operation that `call` runs, on the meta device, where only shapes are checked.
inline Operation recorded(const std::function<void(Context&)>& call) {
  struct Recorder final : OperationObserver {
    void observe(Context&, const Operation& operation) override {
      last = operation;
      ++count;
    }
    Operation last;
    int count = 0;
  } recorder;
  Context context(meta_device, 0);
  context.observer = &recorder;
  call(context);
  if (recorder.count != 1) throw std::logic_error("not one operation");
  return recorder.last;
}

}  // namespace fathom::test
