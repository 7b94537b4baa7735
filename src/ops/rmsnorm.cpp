#include "ops/rmsnorm.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {

void add_rmsnorm(Context& context, Tensor residual, Tensor delta, Tensor weight, float epsilon,
                 Tensor h, Tensor y, Tensor rstd) {
  const Argument arg_residual{"residual", residual}, arg_delta{"delta", delta},
      arg_weight{"weight", weight}, arg_h{"h", h}, arg_y{"y", y}, arg_rstd{"rstd", rstd};
  const Check check("add_rmsnorm", {arg_residual, arg_delta, arg_weight, arg_h, arg_y, arg_rstd});
  check.on(context).rank(arg_residual, 2).floating(arg_residual);
  check.that(delta.present == h.present, "delta and h go together");
  if (delta) {
    check.shaped(arg_delta, residual.shape).same_type(arg_delta, arg_residual);
    check.shaped(arg_h, residual.shape).same_type(arg_h, arg_residual);
  }
  check.shaped(arg_weight, {residual.shape[1]}).same_type(arg_weight, arg_residual);
  check.shaped(arg_y, residual.shape).same_type(arg_y, arg_residual);
  check.shaped(arg_rstd, {residual.shape[0]}).is(arg_rstd, DType::f32);
  on_device(context, cpu::add_rmsnorm, cuda::add_rmsnorm, residual, delta, weight, epsilon, h, y,
            rstd);
}

void add_rmsnorm_backward(Context& context, Tensor dy, Tensor h, Tensor weight, Tensor rstd,
                          Incoming incoming, Tensor dh, Tensor dweight) {
  const Argument arg_dy{"dy", dy}, arg_h{"h", h}, arg_weight{"weight", weight},
      arg_rstd{"rstd", rstd}, arg_dh{"dh", dh}, arg_dweight{"dweight", dweight};
  const Check check("add_rmsnorm_backward",
                    {arg_dy, arg_h, arg_weight, arg_rstd, arg_dh, arg_dweight});
  check.on(context).rank(arg_dy, 2).floating(arg_dy);
  check.shaped(arg_h, dy.shape).same_type(arg_h, arg_dy);
  check.shaped(arg_weight, {dy.shape[1]}).same_type(arg_weight, arg_dy);
  check.shaped(arg_rstd, {dy.shape[0]}).is(arg_rstd, DType::f32);
  check.shaped(arg_dh, dy.shape).same_type(arg_dh, arg_dy);
  check.shaped(arg_dweight, {dy.shape[1]}).is(arg_dweight, DType::f32);
  check.that(incoming == Incoming::none || dh.data == nullptr || dh.data != dy.data,
             "dh may be the memory of dy only with Incoming::none");
  on_device(context, cpu::add_rmsnorm_backward, cuda::add_rmsnorm_backward, dy, h, weight, rstd,
            incoming, dh, dweight);
}

}  // namespace fathom::ops
