#include "ops/elementwise.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {

void convert(Context& context, Tensor from, Tensor to) {
  const Argument arg_from{"from", from}, arg_to{"to", to};
  const Check check("convert", {arg_from, arg_to});
  check.on(context).floating(arg_from).floating(arg_to).shaped(arg_to, from.shape);
  on_device(context, cpu::convert, cuda::convert, from, to);
}

void add(Context& context, Tensor a, Tensor b, Tensor out) {
  const Argument arg_a{"a", a}, arg_b{"b", b}, arg_out{"out", out};
  const Check check("add", {arg_a, arg_b, arg_out});
  check.on(context).floating(arg_a).same_type(arg_a, arg_b).same_type(arg_a, arg_out);
  check.shaped(arg_b, a.shape).shaped(arg_out, a.shape);
  on_device(context, cpu::add, cuda::add, a, b, out);
}

void fill(Context& context, Tensor x, float value) {
  const Argument arg_x{"x", x};
  Check("fill", {arg_x}).on(context).floating(arg_x);
  on_device(context, cpu::fill, cuda::fill, x, value);
}

void fill_normal(Context& context, Tensor x, const NormalFill& fill) {
  const Argument arg_x{"x", x};
  const Check check("fill_normal", {arg_x});
  check.on(context).rank(arg_x, 2).floating(arg_x);
  check.that(fill.first_row >= 0 && fill.first_column >= 0 &&
                 fill.first_column + x.cols() <= fill.global_columns,
             "x must lie within the global matrix's columns");
  on_device(context, cpu::fill_normal, cuda::fill_normal, x, fill);
}

}  // namespace fathom::ops
