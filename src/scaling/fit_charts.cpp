#include "scaling/fit_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/enum_names.h"
#include "scaling/fit_report.h"

namespace fathom::scaling {
namespace {

constexpr auto linear = Axis::Scale::linear, logarithmic = Axis::Scale::logarithmic;
constexpr int curve_points = 80;     // above 60 a page draws the line alone
constexpr double extrapolated = 10;  // how far beyond its points a law is drawn

const Axis compute_axis{"compute C", "FLOPs", logarithmic};

Axis loss_axis(const DatasetFit& fit) {
  return {"loss", std::string(enum_name(fit.unit)), linear};
}

// Evenly spaced on a logarithmic axis.
std::vector<double> log_range(double low, double high) {
  std::vector<double> values;
  for (int i = 0; i < curve_points; ++i) {
    values.push_back(low * std::pow(high / low, static_cast<double>(i) / (curve_points - 1)));
  }
  return values;
}

Series points_named(std::string name) {
  Series series;
  series.name = std::move(name);
  series.mark = Series::Mark::points;
  return series;
}

void add_point(Series& series, double x, const Parameter& y) {
  series.x.push_back(x);
  series.y.push_back(y.value);
  series.low.push_back(y.interval ? y.interval->low : y.value);
  series.high.push_back(y.interval ? y.interval->high : y.value);
}

// A law of C as a line with its band, from its lowest point to beyond its highest.
template <class Law>
Series law_line(const Law& law, std::string name) {
  Series series;
  series.name = std::move(name);
  const auto [low, high] =
      std::ranges::minmax(law.record.points, {}, [](const auto& p) { return p[0]; });
  series.x = log_range(low[0], high[0] * extrapolated);
  for (const double c : series.x) {
    series.y.push_back(law.at(c));
    const auto interval = law.interval_at(c);
    series.low.push_back(interval ? interval->low : series.y.back());
    series.high.push_back(interval ? interval->high : series.y.back());
  }
  return series;
}

Series parabola_line(const Budget& budget) {
  Series series;
  series.x = log_range(budget.points.front().model_flops, budget.points.back().model_flops);
  for (const double m : series.x) series.y.push_back(budget.parabola->at({std::log(m), 0}));
  return series;
}

// Where the laws have the optimum of every budget between the lowest and the highest: (M_opt, L).
// Scattered optima may lie in any order, and a line of the chart ascends.
Series optimum_line(const PowerLaw& model_flops, const LossCurve& loss) {
  const auto [low, high] =
      std::ranges::minmax(model_flops.record.points, {}, [](const auto& p) { return p[0]; });
  std::vector<double> budgets = log_range(low[0], high[0]);
  if (model_flops.exponent.value < 0) std::ranges::reverse(budgets);
  Series line;  // without a name: in the colour of the optima
  for (const double c : budgets) {
    line.x.push_back(model_flops.at(c));
    line.y.push_back(loss.at(c));
  }
  return line;
}

Chart isoflop_chart(const DatasetFit& fit) {
  Chart chart{"Loss over model scale, by budget",
              {"model scale M", "FLOPs a token", logarithmic},
              loss_axis(fit),
              {}};
  Series optimum = points_named("optimum");
  for (const Budget& budget : fit.isoflop.budgets) {
    Series runs = points_named("C = " + short_number(budget.compute, 3));
    for (const LossPoint& point : budget.points) {
      runs.x.push_back(point.model_flops);
      runs.y.push_back(point.loss);
    }
    chart.series.push_back(std::move(runs));
    if (budget.parabola) chart.series.push_back(parabola_line(budget));
    if (!budget.problem.empty()) continue;
    add_point(optimum, budget.model_flops.value, budget.loss);
  }
  chart.series.push_back(std::move(optimum));
  if (fit.isoflop.model_flops && fit.isoflop.loss) {
    chart.series.push_back(optimum_line(*fit.isoflop.model_flops, *fit.isoflop.loss));
  }
  return chart;
}

Chart optimum_chart(const DatasetFit& fit, std::string title, Axis y, Parameter Budget::*optimum,
                    const PowerLaw& law) {
  Series points = points_named("optima of the budgets");
  for (const Budget& budget : fit.isoflop.budgets) {
    if (budget.problem.empty()) add_point(points, budget.compute, budget.*optimum);
  }
  return {std::move(title),
          compute_axis,
          std::move(y),
          {std::move(points), law_line(law, power_law_text(law))}};
}

Chart loss_chart(const DatasetFit& fit) {
  const LossCurve& law = *fit.isoflop.loss;
  Series points = points_named("lowest of the budgets");
  for (const Budget& budget : fit.isoflop.budgets) {
    if (budget.problem.empty()) add_point(points, budget.compute, budget.loss);
  }
  return {"Loss of the best allocation",
          compute_axis,
          loss_axis(fit),
          {std::move(points), law_line(law, loss_curve_text(law))}};
}

Chart surface_chart(const DatasetFit& fit) {
  const LossSurface& surface = fit.surface->surface;
  Series runs = points_named("runs");
  for (const auto& [m, d, loss] : surface.record.points) {
    runs.x.push_back(m * d);
    runs.y.push_back(100 * (loss / surface.at(m, d) - 1));
  }
  return {"Runs against the loss surface",
          compute_axis,
          {"loss above the surface", "%", linear},
          {std::move(runs)}};
}

// One of both that a grid varies.
struct GridAxis {
  Axis axis;
  double GridPoint::*run;
  std::optional<Parameter> Grid::*optimum;
  std::optional<Interval> Grid::*band;
};

// Near-optimal runs, the optima of the grids with their near-optimal bands, and the law.
Chart grid_chart(const DatasetFit& fit, std::string title, const GridAxis& of,
                 const std::optional<PowerLaw>& law) {
  Series near = points_named("runs within 0.25 % of the lowest");
  Series best = points_named("optima, and their bands of 0.25 %");
  for (const Grid& grid : fit.grids.grids) {
    const double lowest = std::ranges::min_element(grid.points, {}, &GridPoint::loss)->loss;
    for (const GridPoint& point : grid.points) {
      if (point.loss > lowest * (1 + near_optimal)) continue;
      near.x.push_back(grid.compute);
      near.y.push_back(point.*of.run);
    }
    if (grid.problem.empty() && grid.*of.optimum) {
      add_point(best, grid.compute, {(grid.*of.optimum)->value, grid.*of.band});
    }
  }
  Chart chart{std::move(title), compute_axis, of.axis, {std::move(near), std::move(best)}};
  if (law) chart.series.push_back(law_line(*law, power_law_text(*law)));
  return chart;
}

}  // namespace

std::vector<NamedChart> fit_charts(const DatasetFit& fit) {
  std::vector<NamedChart> charts;
  if (!fit.isoflop.budgets.empty()) charts.push_back({"isoflop", isoflop_chart(fit)});
  if (const auto& law = fit.isoflop.model_flops) {
    charts.push_back(
        {"model", optimum_chart(fit, "Best model scale", {"M_opt", "FLOPs a token", logarithmic},
                                &Budget::model_flops, *law)});
  }
  if (const auto& law = fit.isoflop.tokens) {
    charts.push_back(
        {"tokens", optimum_chart(fit, "Best number of tokens", {"D_opt", "tokens", logarithmic},
                                 &Budget::tokens, *law)});
  }
  if (fit.isoflop.loss) charts.push_back({"loss", loss_chart(fit)});
  if (fit.surface) charts.push_back({"surface", surface_chart(fit)});
  if (fit.grids.grids.empty()) return charts;
  const GridAxis rate{{"learning rate", "", logarithmic},
                      &GridPoint::learning_rate,
                      &Grid::learning_rate,
                      &Grid::rate_band};
  const GridAxis batch{{"batch", "tokens", logarithmic},
                       &GridPoint::batch_tokens,
                       &Grid::batch_tokens,
                       &Grid::batch_band};
  charts.push_back(
      {"learning-rate", grid_chart(fit, "Best learning rate", rate, fit.grids.learning_rate)});
  charts.push_back({"batch", grid_chart(fit, "Best batch", batch, fit.grids.batch_tokens)});
  return charts;
}

Chart comparison_chart(std::span<const DatasetFit> fits) {
  Chart chart{
      "Best model scale, by data set", compute_axis, {"M_opt", "FLOPs a token", logarithmic}, {}};
  for (const DatasetFit& fit : fits) {
    const auto& law = fit.isoflop.model_flops;
    if (!law) continue;
    Series points = points_named("");
    for (const Budget& budget : fit.isoflop.budgets) {
      if (budget.problem.empty()) add_point(points, budget.compute, budget.model_flops);
    }
    chart.series.push_back(
        law_line(*law, fmt::format("{}: C^{:.3f}", fit.dataset, law->exponent.value)));
    chart.series.push_back(std::move(points));
  }
  return chart;
}

}  // namespace fathom::scaling
