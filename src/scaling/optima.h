// Where the loss is lowest in each of several experiments of the same kind (IsoFLOP budgets, or
// hyper-parameter grids): a quadratic is fitted to each, with bootstrap draws of noise that all
// share.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "scaling/bootstrap.h"
#include "scaling/quadratic.h"

namespace fathom::scaling {

// Losses at points, more of them than the quadratic has parameters.
struct Experiment {
  Axes axes = Axes::one;
  std::vector<Point> x;
  std::vector<double> loss;
};

struct Optimum {
  Quadratic fit;
  std::vector<Quadratic> draws;  // fits to losses with other noise; some may have no minimum
};

struct Optima {
  std::vector<Optimum> each;  // as the experiments
  double noise = 0;           // standard deviation of a loss about its quadratic, relative to it
  double freedom = 0;         // degrees of freedom, of all experiments together
};

// `name`: of the kind of experiments; the random numbers follow from it.
Optima find_optima(std::span<const Experiment> experiments, std::string_view name,
                   const BootstrapOptions& options);

}  // namespace fathom::scaling
