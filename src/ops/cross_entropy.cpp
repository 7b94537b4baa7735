#include "ops/cross_entropy.h"

#include "ops/check.h"
#include "ops/dispatch.h"

namespace fathom::ops {
namespace {

void check_weights(Context& context, const LossWeights& weights, std::int64_t n) {
  if (!weights.per_token) return;
  const Argument per_token{"weights", weights.per_token};
  const Check check("cross_entropy", {per_token});
  check.on(context).shaped(per_token, {n}).is(per_token, DType::f32).contiguous(per_token);
}

}  // namespace

void cross_entropy(Context& context, Tensor logits, Tensor targets, LogitsGradient gradient,
                   const LossWeights& weights, Tensor losses) {
  const Argument arg_logits{"logits", logits}, arg_targets{"targets", targets},
      arg_losses{"losses", losses};
  const Check check("cross_entropy", {arg_logits, arg_targets, arg_losses});
  check.on(context).rank(arg_logits, 2).floating(arg_logits);
  check.shaped(arg_targets, {logits.shape[0]}).is(arg_targets, DType::i32);
  check.shaped(arg_losses, {logits.shape[0]}).is(arg_losses, DType::f32);
  check_weights(context, weights, logits.shape[0]);
  on_device(context, cpu::cross_entropy, cuda::cross_entropy, logits, targets, gradient, weights,
            losses);
}

void cross_entropy_part(Context& context, Tensor logits, Tensor targets, std::int64_t first_id,
                        Tensor part) {
  const Argument arg_logits{"logits", logits}, arg_targets{"targets", targets},
      arg_part{"part", part};
  const Check check("cross_entropy_part", {arg_logits, arg_targets, arg_part});
  check.on(context).rank(arg_logits, 2).floating(arg_logits);
  check.shaped(arg_targets, {logits.shape[0]}).is(arg_targets, DType::i32);
  check.shaped(arg_part, {3, logits.shape[0]}).is(arg_part, DType::f32).contiguous(arg_part);
  on_device(context, cpu::cross_entropy_part, cuda::cross_entropy_part, logits, targets, first_id,
            part);
}

void cross_entropy_from_parts(Context& context, Tensor parts, Tensor logits, Tensor targets,
                              std::int64_t first_id, LogitsGradient gradient,
                              const LossWeights& weights, Tensor losses) {
  const Argument arg_parts{"parts", parts}, arg_logits{"logits", logits},
      arg_targets{"targets", targets}, arg_losses{"losses", losses};
  const Check check("cross_entropy_from_parts", {arg_parts, arg_logits, arg_targets, arg_losses});
  check.on(context).rank(arg_logits, 2).floating(arg_logits).rank(arg_parts, 3);
  check.shaped(arg_parts, {parts.shape[0], 3, logits.shape[0]});
  check.is(arg_parts, DType::f32).contiguous(arg_parts);
  check.shaped(arg_targets, {logits.shape[0]}).is(arg_targets, DType::i32);
  check.shaped(arg_losses, {logits.shape[0]}).is(arg_losses, DType::f32);
  check_weights(context, weights, logits.shape[0]);
  on_device(context, cpu::cross_entropy_from_parts, cuda::cross_entropy_from_parts, parts, logits,
            targets, first_id, gradient, weights, losses);
}

}  // namespace fathom::ops
