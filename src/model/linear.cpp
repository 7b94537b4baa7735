#include "model/linear.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "ops/fp8.h"
#include "ops/int8.h"
#include "ops/matmul.h"

namespace fathom {
namespace {

Precision precision_of(const Parameter& parameter) {
  if (parameter.is_int8()) return Precision::int8;
  if (parameter.fp8) return Precision::fp8;
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

constexpr ops::Fp8Format of_activations = ops::Fp8Format::e4m3;
constexpr ops::Fp8Format of_gradients = ops::Fp8Format::e5m2;

ops::Fp8Matrix take_fp8(Context& context, std::int64_t rows, std::int64_t cols, Tensor scale,
                        ops::Fp8Format format) {
  return {context.workspace.take(DType::u8, {rows, cols}), scale, format};
}

// The orders in which an operand is wanted.
enum class Orders { rows, transposed, both };

// x rounded, in memory of the workspace that lasts as long as the caller's scope.
Operand rounded(Context& context, Tensor x, ops::Fp8Format format, Orders orders) {
  Operand operand(x);
  const Tensor scale = context.workspace.take(DType::f32, {1});
  Tensor values, transposed;
  if (orders != Orders::transposed) {
    operand.fp8 = take_fp8(context, x.rows(), x.cols(), scale, format);
    values = operand.fp8->values;
  }
  if (orders != Orders::rows) {
    operand.fp8_transposed = take_fp8(context, x.cols(), x.rows(), scale, format);
    transposed = operand.fp8_transposed->values;
  }
  ops::quantize_fp8(context, x, format, values, transposed, scale);
  return operand;
}

ops::Fp8Matrix rows_of(Context& context, const Operand& x, ops::Fp8Format format) {
  return x.fp8 ? *x.fp8 : *rounded(context, x.tensor, format, Orders::rows).fp8;
}

ops::Fp8Matrix transposed_of(Context& context, const Operand& x, ops::Fp8Format format) {
  return x.fp8_transposed ? *x.fp8_transposed
                          : *rounded(context, x.tensor, format, Orders::transposed).fp8_transposed;
}

}  // namespace

Operand Operand::slice(std::int64_t first, std::int64_t count) const {
  Operand part(tensor.slice(first, count));
  if (fp8) part.fp8 = {fp8->values.slice(first, count), fp8->scale, fp8->format};
  return part;
}

Linear::Linear(Parameter& parameter)
    : parameter_(&parameter), precision_(precision_of(parameter)) {}

bool Linear::multiplies_fp8(const Context& context, const Operand& x) const {
  return precision_ == Precision::fp8 && context.fp8_products &&
         x.tensor.rows() % ops::fp8_multiple == 0;
}

Fp8Weight& Linear::fp8_weight(Context& context) const {
  Fp8Weight& fp8 = *parameter_->fp8;
  if (std::exchange(fp8.is_stale, false)) {
    ops::quantize_fp8(context, parameter_->weight, ops::Fp8Format::e4m3, fp8.values, fp8.transposed,
                      fp8.scale);
  }
  return fp8;
}

void Linear::forward(Context& context, const Operand& x, Tensor y) const {
  if (precision_ == Precision::int8) {
    return ops::linear_int8(context, x.tensor, parameter_->int8(), y);
  }
  if (!multiplies_fp8(context, x)) return ops::linear(context, x.tensor, parameter_->weight, y);
  const ops::Fp8Matrix w = fp8_weight(context).matrix();
  const ArenaScope scope(context.workspace);
  ops::linear_fp8(context, rows_of(context, x, of_activations), w, y, ops::Fp8Role::output);
}

Operand Linear::gradient(Context& context, Tensor dy) const {
  if (!multiplies_fp8(context, dy)) return dy;
  return rounded(context, dy, of_gradients, Orders::both);
}

void Linear::backward_input(Context& context, const Operand& dy, Tensor dx) const {
  if (precision_ == Precision::int8) fail_int8_backward(*parameter_);
  if (!multiplies_fp8(context, dy)) {
    return ops::linear_backward_input(context, dy.tensor, parameter_->weight, dx);
  }
  const ops::Fp8Matrix w = fp8_weight(context).transposed_matrix();
  const ArenaScope scope(context.workspace);
  ops::linear_fp8(context, rows_of(context, dy, of_gradients), w, dx, ops::Fp8Role::input_gradient);
}

void Linear::backward_weight(Context& context, const Operand& dy, Tensor x) const {
  if (precision_ == Precision::int8) fail_int8_backward(*parameter_);
  const Tensor dw = parameter_->gradient;
  if (!multiplies_fp8(context, dy)) {
    return ops::linear_backward_weight(context, dy.tensor, x, dw, parameter_->accumulate());
  }
  const ArenaScope scope(context.workspace);
  const ops::Fp8Matrix dyt = transposed_of(context, dy, of_gradients);
  const ops::Fp8Matrix xt = transposed_of(context, x, of_activations);
  ops::linear_fp8(context, dyt, xt, dw, ops::Fp8Role::weight_gradient, parameter_->accumulate());
}

// A backward has dy in both orders, and x.
std::size_t Linear::workspace_bytes(const ParameterStore& parameters, std::int64_t rows) {
  std::size_t most = 0;
  for (const Parameter& parameter : parameters.all()) {
    if (!parameter.fp8) continue;
    Arena arena = Arena::measuring();
    const std::int64_t out = parameter.weight.shape[0], in = parameter.weight.shape[1];
    for (const std::int64_t cols : {out, out, in}) {
      arena.take(DType::u8, {rows, cols});
      arena.take(DType::f32, {1});
    }
    most = std::max(most, arena.peak());
  }
  return most;
}

}  // namespace fathom
