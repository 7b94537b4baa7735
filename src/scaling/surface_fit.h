// The loss of every run, whatever its budget, as one surface (Hoffmann et al., arXiv 2203.15556,
// approach 3): L(M, D) = E + A / M^a + B / D^b.
#pragma once

#include <array>
#include <span>
#include <string>

#include "scaling/bootstrap.h"
#include "scaling/laws.h"

namespace fathom::scaling {

struct SurfaceFit {
  LossSurface surface;
  double noise = 0;  // standard deviation of a run's ln L about the surface
};

// Why the runs (M, D, L) cannot carry a surface of five parameters; empty when they can.
std::string surface_problem(std::span<const std::array<double, 3>> runs);

// Minimises Σ huber(ln L(M, D) − ln L_run) with delta 1e-3, where ln L(M, D) is the log-sum-exp of
// the three terms, from many starts. The runs carry a surface, as surface_problem() says.
SurfaceFit fit_loss_surface(std::span<const std::array<double, 3>> runs,
                            const BootstrapOptions& options);

}  // namespace fathom::scaling
