#include "model/mlp.h"

#include "ops/swiglu.h"

namespace fathom {

Mlp::Mlp(const ModelConfig& config, ParameterStore& parameters, const std::string& prefix,
         Boundary& boundary)
    : boundary_(boundary),
      width_(config.intermediate_size),
      gate_up_(parameters.at(prefix + "mlp.gate_up.weight")),
      down_(parameters.at(prefix + "mlp.down.weight")) {}

Mlp::Saved Mlp::allocate(Arena& arena, std::int64_t tokens, DType dtype, KeepActivated keep) const {
  Saved saved;
  saved.gate_up = arena.take(dtype, {tokens, 2 * width_});
  if (keep == KeepActivated::yes) saved.activated = take_activated(arena, saved.gate_up);
  return saved;
}

Tensor Mlp::take_activated(Arena& arena, Tensor gate_up) const {
  return arena.take(gate_up.dtype, {gate_up.rows(), width_});
}

Leaving Mlp::forward(Context& context, Arena& arena, const Entering& x, const Saved& saved,
                     Tensor y) const {
  const ArenaScope scope(arena);
  boundary_.column_linear(context, x, gate_up_, saved.gate_up);
  const Tensor activated = saved.activated ? saved.activated : take_activated(arena, saved.gate_up);
  ops::swiglu(context, saved.gate_up, activated);
  return boundary_.row_linear(context, activated, down_, y);
}

void Mlp::restore(Context& context, const Entering& x, const Saved& saved) const {
  boundary_.column_linear(context, x, gate_up_, saved.gate_up);
  if (saved.activated) ops::swiglu(context, saved.gate_up, saved.activated);
}

Leaving Mlp::backward(Context& context, Arena& arena, const Entering& dy, const Entering& x,
                      const Saved& saved, Tensor dx) const {
  const ArenaScope scope(arena);
  Tensor activated = saved.activated;
  if (!activated) {
    activated = take_activated(arena, saved.gate_up);
    ops::swiglu(context, saved.gate_up, activated);
  }
  const Tensor dactivated = take_activated(arena, saved.gate_up);
  boundary_.row_linear_backward(context, dy, activated, down_, dactivated);

  const Tensor dgate_up = saved.gate_up;
  ops::swiglu_backward(context, dactivated, saved.gate_up, dgate_up);
  return boundary_.column_linear_backward(context, dgate_up, x, gate_up_, dx);
}

}  // namespace fathom
