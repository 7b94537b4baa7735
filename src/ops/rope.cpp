#include "ops/rope.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {

void rope(Context& context, Tensor x, Tensor positions, Tensor table, RopeDirection direction) {
  const Argument arg_x{"x", x}, arg_positions{"positions", positions}, arg_table{"table", table};
  const Check check("rope", {arg_x, arg_positions, arg_table});
  check.on(context).rank(arg_x, 2).floating(arg_x);
  check.shaped(arg_positions, {x.shape[0]}).is(arg_positions, DType::i32);
  check.rank(arg_table, 2).is(arg_table, DType::f32);
  const std::int64_t head_dim = table.shape[1];
  check.that(head_dim > 0 && head_dim % 2 == 0, "the table's width, head_dim, must be even");
  check.that(x.shape[1] % head_dim == 0, "x's width must be a multiple of head_dim");
  on_device(context, cpu::rope, cuda::rope, x, positions, table, direction);
}

}  // namespace fathom::ops
