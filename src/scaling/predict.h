// The loss of a run that is yet to be made, by fitted laws: two opinions.
//
// By the surface L(M, D), which all fitted runs share. By the curve L(C) through the best runs of each
// budget, as the report predicts its 7B and 67B (arXiv 2401.02954, figure 5): at the best allocation
// of the budget C = M · D the curve itself, beside it the curve and what the surface says that this
// allocation loses.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scaling/laws.h"

namespace fathom::scaling {

struct Prediction {
  double model_flops = 0, tokens = 0;  // M, D
  // With the intervals of the laws; a run's own noise is beside them. None where the law is absent.
  std::optional<Parameter> by_curve, by_surface;
  std::string loss_unit;
  std::string laws;  // where they come from
  // C by the largest of the fitted runs; none without their record.
  std::optional<double> beyond;
  // What makes it doubtful beyond the fitted runs, a sentence each.
  std::vector<std::string> warnings;
};

// Throws an input Error when the laws have no loss surface, or for sizes that are not positive.
Prediction predict_loss(const Laws& laws, double model_flops, double tokens);

// The best run of a budget: M_opt and D_opt by the laws. Throws an input Error when they lack
// M_opt or the curve of the loss, or for a budget that is not positive.
Prediction predict_best_loss(const Laws& laws, double compute);

}  // namespace fathom::scaling
