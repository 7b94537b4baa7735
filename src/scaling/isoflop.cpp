#include "scaling/isoflop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "scaling/law_fit.h"
#include "scaling/optima.h"

namespace fathom::scaling {
namespace {

constexpr std::size_t least_points = parameter_count(Axes::one) + 1;

std::size_t model_sizes(const Budget& budget) {
  std::set<double> sizes;
  for (const LossPoint& point : budget.points) sizes.insert(point.model_flops);
  return sizes.size();
}

std::vector<Budget> budgets_of(std::span<const LossPoint> points, double tolerance) {
  std::vector<LossPoint> sorted(points.begin(), points.end());
  std::ranges::sort(sorted, {}, &LossPoint::compute);
  std::vector<Budget> budgets;
  for (const LossPoint& point : sorted) {
    if (budgets.empty() || point.compute > budgets.back().points[0].compute * (1 + tolerance)) {
      budgets.emplace_back();
    }
    budgets.back().points.push_back(point);
  }
  std::erase_if(budgets, [](const Budget& budget) { return model_sizes(budget) < 2; });
  for (Budget& budget : budgets) {
    double sum = 0;
    for (const LossPoint& point : budget.points) sum += std::log(point.compute);
    budget.compute = std::exp(sum / static_cast<double>(budget.points.size()));
    std::ranges::sort(budget.points, {}, &LossPoint::model_flops);
  }
  return budgets;
}

Experiment experiment_of(const Budget& budget) {
  Experiment experiment;
  for (const LossPoint& point : budget.points) {
    experiment.x.push_back({std::log(point.model_flops), 0});
    experiment.loss.push_back(point.loss);
  }
  return experiment;
}

std::string shape_problem(const Budget& budget) {
  if (!budget.parabola->has_minimum()) return "the parabola opens downward";
  const double at = std::exp(budget.parabola->lowest_point()[0]);
  const double low = budget.points.front().model_flops, high = budget.points.back().model_flops;
  if (at < low) return "the optimum is beyond the grid's smallest model; add smaller models";
  if (!(at <= high)) return "the optimum is beyond the grid's largest model; add larger models";
  return "";
}

// The interval of a value whose draws are `draws`, for `freedom` degrees of freedom.
Parameter parameter_of(double value, const std::vector<double>& draws, double freedom) {
  const double factor = small_sample_factor(freedom);
  std::vector<double> wider;
  for (const double draw : draws) {
    if (draw > 0 && value > 0) wider.push_back(value * std::pow(draw / value, factor));
  }
  Parameter parameter{value, {}};
  if (!wider.empty()) parameter.interval = middle_95(std::move(wider));
  return parameter;
}

// M_opt and the lowest loss of each budget, for the laws.
struct OptimumPoints {
  std::vector<LawPoint> model_flops, loss;
};

void add_optimum(Budget& budget, const Optimum& optimum, double freedom, OptimumPoints& points) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  const double at = std::exp(optimum.fit.lowest_point()[0]);
  LawPoint model{budget.compute, at, {}}, loss{budget.compute, optimum.fit.lowest(), {}};
  for (const Quadratic& draw : optimum.draws) {
    // A draw that is almost flat has its lowest point beyond all numbers.
    const double at_draw = draw.has_minimum() ? std::exp(draw.lowest_point()[0]) : none;
    const bool usable = std::isnormal(at_draw);
    model.draws.push_back(usable ? at_draw : none);
    loss.draws.push_back(usable ? draw.lowest() : none);
  }
  budget.model_flops = parameter_of(model.y, model.draws, freedom);
  budget.loss = parameter_of(loss.y, loss.draws, freedom);
  budget.tokens.value = budget.compute / at;
  if (const auto& interval = budget.model_flops.interval) {
    budget.tokens.interval = {budget.compute / interval->high, budget.compute / interval->low};
  }
  if (!budget.problem.empty()) return;
  points.model_flops.push_back(std::move(model));
  points.loss.push_back(std::move(loss));
}

// D = C / M: the inverse coefficient, and what is left of the exponent.
PowerLaw tokens_law(const PowerLaw& model_flops) {
  PowerLaw law;
  law.coefficient.value = 1 / model_flops.coefficient.value;
  law.exponent.value = 1 - model_flops.exponent.value;
  if (const auto& interval = model_flops.coefficient.interval) {
    law.coefficient.interval = {1 / interval->high, 1 / interval->low};
  }
  if (const auto& interval = model_flops.exponent.interval) {
    law.exponent.interval = {1 - interval->high, 1 - interval->low};
  }
  for (const auto& [c, m] : model_flops.record.points) law.record.points.push_back({c, c / m});
  for (const auto& [k, e] : model_flops.record.draws) law.record.draws.push_back({1 / k, 1 - e});
  return law;
}

}  // namespace

Isoflop fit_isoflop(std::span<const LossPoint> points, double tolerance,
                    const BootstrapOptions& options) {
  Isoflop fit;
  fit.budgets = budgets_of(points, tolerance);
  std::vector<Experiment> experiments;
  std::vector<Budget*> with_parabola;
  for (Budget& budget : fit.budgets) {
    if (const std::size_t sizes = model_sizes(budget); sizes < least_points) {
      budget.problem = fmt::format("{} model sizes, and a parabola needs {}", sizes, least_points);
      continue;
    }
    experiments.push_back(experiment_of(budget));
    with_parabola.push_back(&budget);
  }
  const Optima optima = find_optima(experiments, "isoflop", options);
  fit.noise = optima.noise;
  OptimumPoints optimum_points;
  for (std::size_t i = 0; i < with_parabola.size(); ++i) {
    Budget& budget = *with_parabola[i];
    budget.parabola = optima.each[i].fit;
    budget.problem = shape_problem(budget);
    if (budget.parabola->has_minimum()) {
      add_optimum(budget, optima.each[i], optima.freedom, optimum_points);
    }
  }
  if (optimum_points.loss.size() < least_budgets) return fit;
  fit.model_flops = fit_power_law(optimum_points.model_flops, optima.freedom);
  fit.tokens = tokens_law(*fit.model_flops);
  fit.loss = fit_loss_curve(optimum_points.loss, optima.freedom);
  return fit;
}

}  // namespace fathom::scaling
