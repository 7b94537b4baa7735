#include "scaling/predict.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace fathom::scaling {

Prediction predict_loss(const Laws& laws, double model_flops, double tokens) {
  const LossSurface& surface = require_law(laws.loss_surface, "loss_surface", laws);
  for (const auto& [name, value] :
       {std::pair{"model's FLOPs a token", model_flops}, {"number of tokens", tokens}}) {
    if (!(value > 0) || std::isinf(value)) {
      fail_input("the {} is {}: use a positive number, such as 1e9", name, value);
    }
  }
  Prediction out{model_flops, tokens, {}, laws.loss_unit, laws.source, {}};
  out.loss = {surface.at(model_flops, tokens), surface.interval_at(model_flops, tokens)};
  double largest = 0;
  for (const auto& [m, d, loss] : surface.record.points) largest = std::max(largest, m * d);
  if (largest > 0) out.beyond = model_flops * tokens / largest;
  return out;
}

}  // namespace fathom::scaling
