#include "ops/swiglu.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {

void swiglu(Context& context, Tensor gate_up, Tensor y) {
  const Argument arg_gate_up{"gate_up", gate_up}, arg_y{"y", y};
  const Check check("swiglu", {arg_gate_up, arg_y});
  check.on(context).rank(arg_y, 2).floating(arg_y).same_type(arg_gate_up, arg_y);
  check.shaped(arg_gate_up, {y.shape[0], 2 * y.shape[1]});
  on_device(context, cpu::swiglu, cuda::swiglu, gate_up, y);
}

void swiglu_backward(Context& context, Tensor dy, Tensor gate_up, Tensor dgate_up) {
  const Argument arg_dy{"dy", dy}, arg_gate_up{"gate_up", gate_up},
      arg_dgate_up{"dgate_up", dgate_up};
  const Check check("swiglu_backward", {arg_dy, arg_gate_up, arg_dgate_up});
  check.on(context).rank(arg_dy, 2).floating(arg_dy);
  check.same_type(arg_gate_up, arg_dy).same_type(arg_dgate_up, arg_dy);
  check.shaped(arg_gate_up, {dy.shape[0], 2 * dy.shape[1]}).shaped(arg_dgate_up, gate_up.shape);
  on_device(context, cpu::swiglu_backward, cuda::swiglu_backward, dy, gate_up, dgate_up);
}

}  // namespace fathom::ops
