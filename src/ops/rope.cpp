#include "ops/rope.h"

#include "ops/dispatch.h"
#include "ops/rope_check.h"

namespace fathom::ops {

void rope(Context& context, Tensor x, Tensor positions, Tensor table, RopeDirection direction) {
  const Argument arg_x{"x", x}, arg_positions{"positions", positions}, arg_table{"table", table};
  const Check check("rope", {arg_x, arg_positions, arg_table});
  check.on(context).rank(arg_x, 2).floating(arg_x);
  check_rotation(check, arg_x, arg_positions, arg_table);
  on_device(context, cpu::rope, cuda::rope, x, positions, table, direction);
}

}  // namespace fathom::ops
