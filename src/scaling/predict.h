// The loss of a run that is yet to be made, by a fitted surface.
#pragma once

#include <optional>
#include <string>

#include "scaling/laws.h"

namespace fathom::scaling {

struct Prediction {
  double model_flops = 0, tokens = 0;  // M, D
  Parameter loss;  // with the interval of the law; a run's own noise is beside it
  std::string loss_unit;
  std::string laws;  // where they come from
  // C by the largest of the fitted runs; none without their record.
  std::optional<double> beyond;
};

// Throws an input Error when the laws have no loss surface, or for sizes that are not positive.
Prediction predict_loss(const Laws& laws, double model_flops, double tokens);

}  // namespace fathom::scaling
