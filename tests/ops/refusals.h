// What the tests of refusals share: arguments on the meta device, and calls that must be refused.
#pragma once

#include <gmock/gmock.h>

#include <functional>
#include <string>
#include <vector>

#include "ops/ops_test.h"

namespace fathom::ops::refusals {

inline Tensor f32(Shape shape) {
  return {nullptr, DType::f32, shape, meta_device};
}
inline Tensor bf16(Shape shape) {
  return {nullptr, DType::bf16, shape, meta_device};
}
inline Tensor i32(Shape shape) {
  return {nullptr, DType::i32, shape, meta_device};
}
inline Tensor u16(Shape shape) {
  return {nullptr, DType::u16, shape, meta_device};
}
inline Tensor u8(Shape shape) {
  return {nullptr, DType::u8, shape, meta_device};
}
inline Tensor on_cpu(Tensor x) {
  x.device = cpu_device;
  return x;
}
// The same shape with rows that lie apart.
inline Tensor apart(Tensor x) {
  x.row_stride += 1;
  return x;
}

struct Refusal {
  std::string problem;  // the end of the message
  std::function<void(Context&)> call;
};

inline void expect_refused(const std::vector<Refusal>& refusals) {
  Context context(meta_device);
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.problem);
    EXPECT_THAT(test::message_of([&] { refusal.call(context); }),
                testing::EndsWith(": " + refusal.problem));
  }
}

}  // namespace fathom::ops::refusals
