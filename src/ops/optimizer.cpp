#include "ops/optimizer.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {

void add_sum_of_squares(Context& context, Tensor x, Tensor out) {
  const Argument arg_x{"x", x}, arg_out{"out", out};
  const Check check("add_sum_of_squares", {arg_x, arg_out});
  check.on(context).is(arg_x, DType::f32).contiguous(arg_x);
  check.shaped(arg_out, {1}).is(arg_out, DType::f32);
  on_device(context, cpu::add_sum_of_squares, cuda::add_sum_of_squares, x, out);
}

void clip_scale(Context& context, Tensor sum_of_squares, float max_norm, Tensor norm,
                Tensor scale) {
  const Argument arg_sum{"sum_of_squares", sum_of_squares}, arg_norm{"norm", norm},
      arg_scale{"scale", scale};
  const Check check("clip_scale", {arg_sum, arg_norm, arg_scale});
  check.on(context);
  for (const Argument& argument : {arg_sum, arg_norm, arg_scale}) {
    check.shaped(argument, {1}).is(argument, DType::f32);
  }
  on_device(context, cpu::clip_scale, cuda::clip_scale, sum_of_squares, max_norm, norm, scale);
}

void adamw(Context& context, Tensor grad, Tensor scale, const AdamWStep& step, Tensor master,
           Tensor m, Tensor v, Tensor weight) {
  const Argument arg_grad{"grad", grad}, arg_scale{"scale", scale}, arg_master{"master", master},
      arg_m{"m", m}, arg_v{"v", v}, arg_weight{"weight", weight};
  const Check check("adamw", {arg_grad, arg_scale, arg_master, arg_m, arg_v, arg_weight});
  check.on(context).rank(arg_grad, 1).shaped(arg_scale, {1}).is(arg_scale, DType::f32);
  for (const Argument& argument : {arg_grad, arg_master, arg_m, arg_v}) {
    check.shaped(argument, grad.shape).is(argument, DType::f32);
  }
  check.shaped(arg_weight, grad.shape).floating(arg_weight);
  check.that(step.step >= 1, "steps count from 1");
  on_device(context, cpu::adamw, cuda::adamw, grad, scale, step, master, m, v, weight);
}

}  // namespace fathom::ops
