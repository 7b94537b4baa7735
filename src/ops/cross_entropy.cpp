#include "ops/cross_entropy.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {

void cross_entropy(Context& context, Tensor logits, Tensor targets, LogitsGradient gradient,
                   float grad_scale, Tensor losses) {
  const Argument arg_logits{"logits", logits}, arg_targets{"targets", targets},
      arg_losses{"losses", losses};
  const Check check("cross_entropy", {arg_logits, arg_targets, arg_losses});
  check.on(context).rank(arg_logits, 2).floating(arg_logits);
  check.shaped(arg_targets, {logits.shape[0]}).is(arg_targets, DType::i32);
  check.shaped(arg_losses, {logits.shape[0]}).is(arg_losses, DType::f32);
  on_device(context, cpu::cross_entropy, cuda::cross_entropy, logits, targets, gradient, grad_scale,
            losses);
}

}  // namespace fathom::ops
