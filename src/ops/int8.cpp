#include "ops/int8.h"

#include "ops/check.h"
#include "ops/cpu/int8.h"
#include "ops/dispatch.h"

namespace fathom::ops {
namespace {

void check_matrix(const Check& check, const Context& context, const Argument& integers,
                  const Argument& scales) {
  check.on(context).is(integers, DType::u8).is(scales, DType::u16);
  check.rank(integers, 2).contiguous(integers).contiguous(scales);
  const Shape& shape = integers.tensor->shape;
  check.that(shape[1] % int8_block == 0, "rows are no whole number of blocks");
  check.shaped(scales, {shape[0], shape[1] / int8_block});
  check.that(context.device.type != DeviceType::cuda, "weights in 8 bits compute on a CPU");
}

}  // namespace

void linear_int8(Context& context, Tensor x, const Int8Matrix& w, Tensor y) {
  const Argument arg_x{"x", x}, arg_w{"w", w.integers}, arg_scales{"scales", w.scales},
      arg_y{"y", y};
  const Check check("linear_int8", {arg_x, arg_w, arg_scales, arg_y});
  check_matrix(check, context, arg_w, arg_scales);
  check.floating(arg_x);
  check.that(y.dtype == DType::f32 || y.dtype == x.dtype, "y must have the type of x or be f32");
  check.that(x.shape.rank() >= 1 && y.shape.rank() >= 1, "activations need at least one dimension");
  check.that(x.rows() == y.rows(), "the numbers of rows differ");
  check.that(x.cols() == w.integers.shape[1] && y.cols() == w.integers.shape[0],
             "the widths do not agree");
  // check_matrix() has refused a GPU.
  on_device(context, cpu::linear_int8, cpu::linear_int8, x, w, y);
}

void embedding_int8(Context& context, Tensor ids, const Int8Matrix& table, std::int64_t first_id,
                    Tensor y) {
  const Argument arg_ids{"ids", ids}, arg_table{"table", table.integers},
      arg_scales{"scales", table.scales}, arg_y{"y", y};
  const Check check("embedding_int8", {arg_ids, arg_table, arg_scales, arg_y});
  check_matrix(check, context, arg_table, arg_scales);
  check.is(arg_ids, DType::i32).contiguous(arg_ids).floating(arg_y);
  check.that(y.rows() == ids.elements(), "y must have a row for each id");
  check.that(y.cols() == table.integers.shape[1], "the widths do not agree");
  on_device(context, cpu::embedding_int8, cpu::embedding_int8, ids, table, first_id, y);
}

}  // namespace fathom::ops
