#include "ops/fp8.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {
namespace {

void check_matrix(const Check& check, const Argument& values, const Shape& shape) {
  check.is(values, DType::u8).rank(values, 2).contiguous(values).shaped(values, shape);
  check.that(reinterpret_cast<std::uintptr_t>(values.tensor->data) % 16 == 0,
             "FP8 values must lie at a multiple of 16 bytes");
}

void check_scale(const Check& check, const Argument& scale) {
  check.is(scale, DType::f32).shaped(scale, {1});
}

bool is_multiple(std::int64_t size) {
  return size % fp8_multiple == 0;
}

}  // namespace

void quantize_fp8(Context& context, Tensor x, Fp8Format format, Tensor values, Tensor transposed,
                  Tensor scale) {
  const Argument arg_x{"x", x}, arg_values{"values", values},
      arg_transposed{"transposed", transposed}, arg_scale{"scale", scale};
  const Check check("quantize_fp8", {arg_x, arg_values, arg_transposed, arg_scale});
  check.on(context).floating(arg_x);
  check_scale(check, arg_scale);
  check.that(x.shape.rank() >= 1, "x needs at least one dimension");
  check.that(is_multiple(x.rows()) && is_multiple(x.cols()), "sizes must be multiples of 16");
  check.that(values || transposed, "no output is wanted");
  if (values) check_matrix(check, arg_values, {x.rows(), x.cols()});
  if (transposed) check_matrix(check, arg_transposed, {x.cols(), x.rows()});
  on_device(context, cpu::quantize_fp8, cuda::quantize_fp8, x, format, values, transposed, scale);
}

void linear_fp8(Context& context, const Fp8Matrix& x, const Fp8Matrix& w, Tensor y, Fp8Role role,
                Accumulate accumulate) {
  const Argument arg_x{"x", x.values}, arg_w{"w", w.values}, arg_x_scale{"scale of x", x.scale},
      arg_w_scale{"scale of w", w.scale}, arg_y{"y", y};
  const Check check("linear_fp8", {arg_x, arg_w, arg_x_scale, arg_w_scale, arg_y});
  check.on(context).rank(arg_x, 2).rank(arg_w, 2).floating(arg_y);
  check_matrix(check, arg_x, x.values.shape);
  check_matrix(check, arg_w, w.values.shape);
  check_scale(check, arg_x_scale);
  check_scale(check, arg_w_scale);
  check.that(x.values.cols() == w.values.cols(), "the widths do not agree");
  check.that(y.shape.rank() >= 1 && y.rows() == x.values.rows() && y.cols() == w.values.rows(),
             "y must be [rows of x, rows of w]");
  check.that(
      is_multiple(x.values.rows()) && is_multiple(x.values.cols()) && is_multiple(w.values.rows()),
      "sizes must be multiples of 16");
  check.that(accumulate == Accumulate::overwrite || y.dtype == DType::f32,
             "a product is added to in f32 alone");
  on_device(context, cpu::linear_fp8, cuda::linear_fp8, x, w, y, role, accumulate);
}

}  // namespace fathom::ops
