// RMSNorm and the residual addition before it: h = residual + delta, y = norm(h).
// Sub-layers hand on the pair (residual, delta), so that the addition fuses with
// the next norm without either knowing its neighbour.
#pragma once

#include "model/parameters.h"
#include "ops/rmsnorm.h"

namespace fathom {

class Norm {
 public:
  struct Saved {
    Tensor h;     // [n, d]; when nothing was added, the residual itself
    Tensor rstd;  // [n] f32
  };

  Norm(const ModelConfig& config, ParameterStore& parameters, const std::string& name)
      : epsilon_(static_cast<float>(config.rms_norm_eps)), weight_(&parameters.at(name)) {}

  // `delta` may be absent; then saved.h must be the residual.
  void forward(Context& context, Tensor residual, Tensor delta, const Saved& saved,
               Tensor y) const {
    const Tensor h = delta ? saved.h : Tensor{};
    ops::add_rmsnorm(context, residual, delta, weight_->weight, epsilon_, h, y, saved.rstd);
  }
  // The same y again, from what was saved.
  void repeat(Context& context, const Saved& saved, Tensor y) const {
    forward(context, saved.h, Tensor{}, saved, y);
  }
  // dh: gradient along the residual stream, to which the norm's share is added.
  void backward(Context& context, Tensor dy, const Saved& saved, ops::Incoming incoming,
                Tensor dh) const {
    ops::add_rmsnorm_backward(context, dy, saved.h, weight_->weight, saved.rstd, incoming, dh,
                              weight_->gradient);
  }

 private:
  float epsilon_;
  Parameter* weight_;
};

}  // namespace fathom
