// The MLP sub-layer (SwiGLU):
//
//   forward                              backward
//   gate_up = x Wguᵀ                     da = dy Wd            dWd += dyᵀ a
//   a = silu(gate) · up                  dgate_up = swiglu_backward(da)
//   y = a Wdᵀ                            dx = dgate_up Wgu     dWgu += dgate_upᵀ x
#pragma once

#include "model/boundary.h"

namespace fathom {

class Mlp {
 public:
  struct Saved {
    Tensor gate_up;    // [n, 2 intermediate_size]
    Tensor activated;  // [n, intermediate_size]; absent: computed again in backward
  };
  enum class KeepActivated { no, yes };

  Mlp(const ModelConfig& config, ParameterStore& parameters, const std::string& prefix,
      Boundary& boundary);

  Saved allocate(Arena& arena, std::int64_t tokens, DType dtype, KeepActivated keep) const;

  // x, y: [n, d]. Fills `saved`. Takes scratch from `arena`.
  Leaving forward(Context& context, Arena& arena, const Entering& x, const Saved& saved,
                  Tensor y) const;
  // Fills `saved` alone.
  void restore(Context& context, const Entering& x, const Saved& saved) const;
  // Overwrites dx and saved.gate_up; adds to the parameters' gradients.
  Leaving backward(Context& context, Arena& arena, const Entering& dy, const Entering& x,
                   const Saved& saved, Tensor dx) const;

 private:
  Tensor take_activated(Arena& arena, Tensor gate_up) const;

  Boundary& boundary_;
  std::int64_t width_;
  Linear gate_up_, down_;
};

}  // namespace fathom
