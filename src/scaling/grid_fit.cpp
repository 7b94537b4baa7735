#include "scaling/grid_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "scaling/law_fit.h"
#include "scaling/optima.h"

namespace fathom::scaling {
namespace {

constexpr double fitted_range = 0.05;

// Distinct values of a member over the points.
template <class Member>
std::size_t distinct(const std::vector<GridPoint>& points, Member member) {
  std::set<double> values;
  for (const GridPoint& point : points) values.insert(point.*member);
  return values.size();
}

double lowest_loss(const Grid& grid) {
  return std::ranges::min_element(grid.points, {}, &GridPoint::loss)->loss;
}

Axes axes_of(const Grid& grid) {
  return grid.kind == GridKind::both ? Axes::two : Axes::one;
}

// A parabola's one coordinate is what varies.
Point coordinates(const Grid& grid, const GridPoint& point) {
  const double rate = std::log(point.learning_rate), batch = std::log(point.batch_tokens);
  if (grid.kind == GridKind::both) return {rate, batch};
  return {grid.kind == GridKind::learning_rate ? rate : batch, 0};
}

// Leaves out a run that stands alone with its batch beside a sweep of rates, or with its rate
// beside one of batches: a ladder's run of the same size, which is no part of the sweep.
template <class Member>
void leave_odd_run_out(Grid& grid, Member member) {
  constexpr std::size_t least_sweep = 3;
  if (grid.points.size() <= least_sweep || distinct(grid.points, member) != 2) return;
  const auto alone = std::ranges::find_if(grid.points, [&](const GridPoint& point) {
    return std::ranges::count(grid.points, point.*member, member) == 1;
  });
  if (alone != grid.points.end()) grid.points.erase(alone);
}

// Fills in what needs no fit. False when neither rate nor batch varies.
bool describe(Grid& grid) {
  leave_odd_run_out(grid, &GridPoint::batch_tokens);
  leave_odd_run_out(grid, &GridPoint::learning_rate);
  const bool rates = distinct(grid.points, &GridPoint::learning_rate) > 1;
  const bool batches = distinct(grid.points, &GridPoint::batch_tokens) > 1;
  if (!rates && !batches) return false;
  grid.kind = rates && batches ? GridKind::both : rates ? GridKind::learning_rate : GridKind::batch;
  const double limit = lowest_loss(grid) * (1 + near_optimal);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  grid.near_rates = grid.near_batches = {infinity, 0};
  for (const GridPoint& point : grid.points) {
    if (point.loss > limit) continue;
    ++grid.near_runs;
    for (const auto& [range, value] : {std::pair{&grid.near_rates, point.learning_rate},
                                       {&grid.near_batches, point.batch_tokens}}) {
      *range = {std::min(range->low, value), std::max(range->high, value)};
    }
  }
  return true;
}

// Batches seldom divide a budget evenly, so runs of one grid differ a little in D.
bool belongs_to(const Grid& grid, const GridRun& run) {
  constexpr double tolerance = 0.01;
  return run.model_flops == grid.model_flops && run.tokens <= grid.tokens * (1 + tolerance);
}

std::vector<Grid> grids_of(std::span<const GridRun> runs) {
  std::vector<GridRun> ascending(runs.begin(), runs.end());
  std::ranges::stable_sort(
      ascending, {}, [](const GridRun& run) { return std::pair(run.model_flops, run.tokens); });
  std::vector<Grid> groups, grids;
  for (const GridRun& run : ascending) {
    if (groups.empty() || !belongs_to(groups.back(), run)) {
      Grid& group = groups.emplace_back();
      group.model_flops = run.model_flops;
      group.tokens = run.tokens;
      group.compute = run.compute;
    }
    groups.back().points.push_back(run.point);
  }
  for (Grid& group : groups) {
    if (describe(group)) grids.push_back(std::move(group));
  }
  std::ranges::sort(grids, {}, &Grid::compute);
  return grids;
}

Experiment experiment_of(const Grid& grid) {
  const double limit = lowest_loss(grid) * (1 + fitted_range);
  Experiment experiment{axes_of(grid), {}, {}};
  for (const GridPoint& point : grid.points) {
    if (point.loss > limit) continue;
    experiment.x.push_back(coordinates(grid, point));
    experiment.loss.push_back(point.loss);
  }
  return experiment;
}

// Why the runs of an experiment cannot carry its quadratic; empty when they can.
std::string size_problem(const Grid& grid, const Experiment& experiment) {
  const std::size_t needed = parameter_count(experiment.axes) + 1;
  if (experiment.x.size() < needed) {
    return fmt::format("{} runs within 5 % of the lowest loss, and the fit needs {}",
                       experiment.x.size(), needed);
  }
  for (const auto& [axis, name] :
       {std::pair<std::size_t, const char*>{0, "learning rates"}, {1, "batches"}}) {
    std::set<double> values;
    for (const Point& x : experiment.x) values.insert(x[axis]);
    if (axis == 1 && experiment.axes == Axes::one) break;
    if (values.size() >= 3) continue;
    return fmt::format("{} {} within 5 % of the lowest loss, and the fit needs 3", values.size(),
                       grid.kind == GridKind::batch ? "batches" : name);
  }
  return "";
}

std::string shape_problem(const Grid& grid, const Quadratic& fit) {
  if (!fit.has_minimum()) return "the fitted losses have no lowest point";
  const Point at = fit.lowest_point();
  const int axes = static_cast<int>(fit.axes);
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(axes); ++axis) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const GridPoint& point : grid.points) {
      const double x = coordinates(grid, point)[axis];
      low = std::min(low, x);
      high = std::max(high, x);
    }
    const bool batch = grid.kind == GridKind::batch || axis == 1;
    const char* const name = batch ? "batch" : "learning rate";
    if (at[axis] < low) {
      return fmt::format("the optimum is beyond the grid's smallest {}; add smaller ones", name);
    }
    if (!(at[axis] <= high)) {
      return fmt::format("the optimum is beyond the grid's largest {}; add larger ones", name);
    }
  }
  return "";
}

// What one axis of a grid's fit gives.
struct AxisFit {
  LawPoint point;
  Parameter optimum;
  Interval band;
};

AxisFit fit_axis(const Grid& grid, const Optimum& optimum, std::size_t axis, double freedom) {
  AxisFit out;
  const double at = optimum.fit.lowest_point()[axis];
  const double factor = small_sample_factor(freedom);
  out.point = {grid.compute, std::exp(at), {}};
  std::vector<double> wider;
  for (const Quadratic& draw : optimum.draws) {
    const bool usable = draw.has_minimum();
    const double drawn =
        usable ? draw.lowest_point()[axis] : std::numeric_limits<double>::quiet_NaN();
    out.point.draws.push_back(std::exp(drawn));
    if (usable) wider.push_back(std::exp(at + factor * (drawn - at)));
  }
  out.optimum.value = std::exp(at);
  if (!wider.empty()) out.optimum.interval = middle_95(std::move(wider));
  const double reach =
      optimum.fit.reach(static_cast<int>(axis), near_optimal * optimum.fit.lowest());
  out.band = {std::exp(at - reach), std::exp(at + reach)};
  return out;
}

struct LawPoints {
  std::vector<LawPoint> rates, batches;
};

void add_optimum(Grid& grid, const Optimum& optimum, double freedom, LawPoints& points) {
  std::size_t axis = 0;
  const auto add = [&](std::optional<Parameter>& value, std::optional<Interval>& band,
                       std::vector<LawPoint>& law) {
    AxisFit fit = fit_axis(grid, optimum, axis++, freedom);
    value = fit.optimum;
    band = fit.band;
    if (grid.problem.empty()) law.push_back(std::move(fit.point));
  };
  if (grid.kind != GridKind::batch) add(grid.learning_rate, grid.rate_band, points.rates);
  if (grid.kind != GridKind::learning_rate) add(grid.batch_tokens, grid.batch_band, points.batches);
}

}  // namespace

GridFits fit_grids(std::span<const GridRun> runs, const BootstrapOptions& options) {
  GridFits fits;
  fits.grids = grids_of(runs);
  std::vector<Experiment> experiments;
  std::vector<Grid*> fitted;
  for (Grid& grid : fits.grids) {
    Experiment experiment = experiment_of(grid);
    grid.problem = size_problem(grid, experiment);
    if (!grid.problem.empty()) continue;
    experiments.push_back(std::move(experiment));
    fitted.push_back(&grid);
  }
  const Optima optima = find_optima(experiments, "grids", options);
  fits.noise = optima.noise;
  LawPoints points;
  for (std::size_t i = 0; i < fitted.size(); ++i) {
    Grid& grid = *fitted[i];
    grid.problem = shape_problem(grid, optima.each[i].fit);
    if (optima.each[i].fit.has_minimum()) add_optimum(grid, optima.each[i], optima.freedom, points);
  }
  if (points.rates.size() >= least_budgets) {
    fits.learning_rate = fit_power_law(points.rates, optima.freedom);
  }
  if (points.batches.size() >= least_budgets) {
    fits.batch_tokens = fit_power_law(points.batches, optima.freedom);
  }
  return fits;
}

}  // namespace fathom::scaling
