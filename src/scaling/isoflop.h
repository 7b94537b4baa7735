// IsoFLOP analysis (arXiv 2401.02954, section 3.2; arXiv 2203.15556, approach 2): runs of one
// budget differ in how they share it between model and tokens. A parabola in ln M through their
// losses has its lowest point at the best share, and power laws lead through these points from
// budget to budget.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scaling/bootstrap.h"
#include "scaling/laws.h"
#include "scaling/quadratic.h"

namespace fathom::scaling {

// A run, as the fits see it.
struct LossPoint {
  double model_flops = 0, tokens = 0, compute = 0;  // M, D, C
  double loss = 0;
};

struct Budget {
  double compute = 0;             // C, the geometric mean of its runs'
  std::vector<LossPoint> points;  // ascending in M
  std::string problem;            // why the laws do without it; empty: they use it
  // Over ln M, L in the unit of the losses; absent with too few points.
  std::optional<Quadratic> parabola;
  // At the parabola's lowest point, where it has one.
  Parameter model_flops, tokens, loss;
};

struct Isoflop {
  std::vector<Budget> budgets;  // ascending in C
  double noise = 0;             // standard deviation of a run's loss about its parabola, relative
  // M_opt(C), D_opt(C) = C / M_opt(C), L(C) at the optimum; absent with fewer than three budgets.
  std::optional<PowerLaw> model_flops, tokens;
  std::optional<LossCurve> loss;
};

// Runs belong to one budget whose C is at most `tolerance` (0.05: 5 %) above the budget's lowest.
// Runs that are alone at their model size in a budget, such as those of a hyper-parameter grid,
// make no budget.
Isoflop fit_isoflop(std::span<const LossPoint> points, double tolerance,
                    const BootstrapOptions& options);

}  // namespace fathom::scaling
