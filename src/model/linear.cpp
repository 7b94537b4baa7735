#include "model/linear.h"

#include "core/error.h"
#include "ops/int8.h"
#include "ops/matmul.h"

namespace fathom {
namespace {

Precision precision_of(const Parameter& parameter) {
  if (parameter.is_int8()) return Precision::int8;
  switch (parameter.weight.dtype) {
    case DType::f32:
      return Precision::f32;
    case DType::bf16:
      return Precision::bf16;
    case DType::i32:
    case DType::u32:
    case DType::u16:
    case DType::u8:
      break;
  }
  fail_runtime("{} is {}, which no product of a linear layer computes with", parameter.spec.name,
               name_of(parameter.weight.dtype));
}

[[noreturn]] void fail_int8_backward(const Parameter& parameter) {
  fail_runtime("{} is in 8 bits, which have no backward", parameter.spec.name);
}

}  // namespace

Linear::Linear(Parameter& parameter)
    : parameter_(&parameter), precision_(precision_of(parameter)) {}

void Linear::forward(Context& context, Tensor x, Tensor y) const {
  switch (precision_) {
    case Precision::f32:
    case Precision::bf16:
      return ops::linear(context, x, parameter_->weight, y);
    case Precision::int8:
      return ops::linear_int8(context, x, parameter_->int8(), y);
  }
}

void Linear::backward_input(Context& context, Tensor dy, Tensor dx) const {
  switch (precision_) {
    case Precision::f32:
    case Precision::bf16:
      return ops::linear_backward_input(context, dy, parameter_->weight, dx);
    case Precision::int8:
      fail_int8_backward(*parameter_);
  }
}

void Linear::backward_weight(Context& context, Tensor dy, Tensor x) const {
  switch (precision_) {
    case Precision::f32:
    case Precision::bf16:
      return ops::linear_backward_weight(context, dy, x, parameter_->gradient,
                                         parameter_->accumulate());
    case Precision::int8:
      fail_int8_backward(*parameter_);
  }
}

}  // namespace fathom
