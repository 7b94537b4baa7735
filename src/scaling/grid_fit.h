// Hyper-parameter grids: runs of one model on as many tokens, with other learning rates and
// batches. A quadratic in ln rate and ln batch through the losses of a grid has its lowest point at
// the best of both; power laws lead from grid to grid (arXiv 2401.02954, section 3.1).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scaling/bootstrap.h"
#include "scaling/laws.h"
#include "scaling/quadratic.h"

namespace fathom::scaling {

// A run is near-optimal whose loss is at most this share above the lowest (the report's 0.25 %).
inline constexpr double near_optimal = 0.0025;

struct GridPoint {
  double learning_rate = 0, batch_tokens = 0;
  double loss = 0;
};

// Which of both varies in a grid.
enum class GridKind { learning_rate, batch, both };

struct Grid {
  double model_flops = 0, tokens = 0, compute = 0;  // M, and the least D and C
  GridKind kind = GridKind::both;
  std::vector<GridPoint> points;
  std::string problem;  // why the laws do without it; empty: they use it
  // The near-optimal runs' own ranges.
  Interval near_rates, near_batches;
  std::int64_t near_runs = 0;
  // Of the fit, where it has a lowest point and the grid varies it.
  std::optional<Parameter> learning_rate, batch_tokens;
  // What the fit calls near-optimal: farthest rates and batches whose loss is within 0.25 %.
  std::optional<Interval> rate_band, batch_band;
};

struct GridFits {
  std::vector<Grid> grids;  // ascending in C
  double noise = 0;         // standard deviation of a run's loss about its quadratic, relative
  std::optional<PowerLaw> learning_rate, batch_tokens;  // of C; absent with fewer than three grids
};

// A run with its model and token count.
struct GridRun {
  double model_flops = 0, tokens = 0, compute = 0;
  GridPoint point;
};

// Runs with the same M, and D at most 1 % above the lowest of them, make a grid, when rate or batch
// varies among them; a single run beside a sweep of rates or of batches alone is no part of it. Of a
// grid only runs at most 5 % above the lowest loss are fitted: farther away a loss is no quadratic.
GridFits fit_grids(std::span<const GridRun> runs, const BootstrapOptions& options);

}  // namespace fathom::scaling
