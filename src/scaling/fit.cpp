#include "scaling/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/enum_names.h"
#include "core/error.h"
#include "core/philox.h"
#include "report/chart.h"
#include "scaling/law_fit.h"

namespace fathom::scaling {
namespace {

using Runs = std::vector<const RunResult*>;

double loss_of(const RunResult& run, LossUnit unit) {
  return unit == LossUnit::nats_per_token ? run.loss : run.bits_per_byte;
}

// The first names, and how many more there are.
std::string names_of(const Runs& runs) {
  constexpr std::size_t most = 5;
  std::string names;
  for (std::size_t i = 0; i < std::min(most, runs.size()); ++i) {
    names += (i > 0 ? ", " : "") + runs[i]->name;
  }
  return runs.size() > most ? fmt::format("{} and {} more", names, runs.size() - most) : names;
}

// Runs of a budget miss it by a step of tokens to either side: all or none of them count.
bool is_small(const RunResult& run, const FitOptions& options) {
  return run.compute * (1 + options.budget_tolerance) < options.least_compute;
}

// The runs that count; a warning for each kind that does not.
Runs usable_runs(const Runs& runs, const FitOptions& options, std::vector<std::string>& warnings) {
  Runs usable, small, diverged, repeated;
  for (const RunResult* run : runs) {
    if (is_small(*run, options)) {
      small.push_back(run);
    } else if (run->diverged()) {
      diverged.push_back(run);
    } else if (run->tokens > most_epochs * run->unique_tokens) {
      repeated.push_back(run);
    } else if (!std::isfinite(loss_of(*run, options.unit))) {
      fail_input("run '{}' has no bits_per_byte; fit the loss in nats per token, or measure them",
                 run->name);
    } else {
      usable.push_back(run);
    }
  }
  if (!small.empty()) {
    warnings.push_back(fmt::format("{} of {} runs have less than {} FLOPs and are left out",
                                   small.size(), runs.size(),
                                   short_number(options.least_compute, 3)));
  }
  if (!diverged.empty()) {
    warnings.push_back(fmt::format("{} of {} runs diverged and are left out: {}", diverged.size(),
                                   runs.size(), names_of(diverged)));
  }
  if (!repeated.empty()) {
    warnings.push_back(fmt::format(
        "{} of {} runs read their data more than {} times and are left out, for repeated tokens "
        "teach less: {}",
        repeated.size(), runs.size(), most_epochs, names_of(repeated)));
  }
  return usable;
}

// A rate or batch that is not known is one of its own.
using Setting = std::pair<double, double>;
Setting setting_of(const RunResult& run) {
  const auto known = [](double value) { return std::isnan(value) ? 0 : value; };
  return {known(run.learning_rate), known(run.batch_tokens)};
}

// Of each model and token count the runs (repetitions with other seeds) of the setting with the
// lowest mean loss.
std::vector<LossPoint> best_settings(const Runs& runs, LossUnit unit) {
  std::map<std::pair<double, double>, std::map<Setting, std::vector<LossPoint>>> by_model;
  for (const RunResult* run : runs) {
    by_model[{run->model_flops, run->tokens}][setting_of(*run)].push_back(
        {run->model_flops, run->tokens, run->compute, loss_of(*run, unit)});
  }
  const auto mean = [](const std::vector<LossPoint>& points) {
    double sum = 0;
    for (const LossPoint& point : points) sum += point.loss;
    return sum / static_cast<double>(points.size());
  };
  std::vector<LossPoint> best;
  for (const auto& [model, settings] : by_model) {
    const auto lowest = std::ranges::min_element(
        settings, {}, [&](const auto& setting) { return mean(setting.second); });
    best.insert(best.end(), lowest->second.begin(), lowest->second.end());
  }
  return best;
}

std::vector<GridRun> grid_runs(const Runs& runs, LossUnit unit) {
  std::vector<GridRun> out;
  for (const RunResult* run : runs) {
    if (std::isnan(run->learning_rate) || std::isnan(run->batch_tokens)) continue;
    out.push_back({run->model_flops,
                   run->tokens,
                   run->compute,
                   {run->learning_rate, run->batch_tokens, loss_of(*run, unit)}});
  }
  return out;
}

std::vector<std::array<double, 3>> surface_runs(const std::vector<LossPoint>& points) {
  std::vector<std::array<double, 3>> runs;
  for (const LossPoint& point : points)
    runs.push_back({point.model_flops, point.tokens, point.loss});
  return runs;
}

// A budget's best run at the grid's edge, though its parabola has a lowest point inside.
bool best_at_edge(const Budget& budget) {
  const auto best = std::ranges::min_element(budget.points, {}, &LossPoint::loss);
  return best->model_flops == budget.points.front().model_flops ||
         best->model_flops == budget.points.back().model_flops;
}

void warn_of_isoflop(const Isoflop& isoflop, std::vector<std::string>& warnings) {
  std::size_t usable = 0;
  for (const Budget& budget : isoflop.budgets) {
    const std::string name = "budget " + short_number(budget.compute, 3);
    if (!budget.problem.empty()) {
      warnings.push_back(fmt::format("{}: {}; the laws do without it", name, budget.problem));
      continue;
    }
    ++usable;
    if (best_at_edge(budget)) {
      warnings.push_back(name +
                         ": its best run is at the grid's edge, so the optimum is uncertain");
    }
  }
  if (isoflop.noise > most_scatter) {
    warnings.push_back(fmt::format(
        "losses scatter by {:.1f} % about the parabolas of their budgets, so no law describes them "
        "well; models that are too small for their data learn in jumps: see report.html, and leave "
        "small budgets out with --least-compute",
        100 * isoflop.noise));
  }
  if (isoflop.budgets.empty()) {
    warnings.push_back("no budget has models of several sizes: no law of the allocation");
  } else if (usable < least_budgets) {
    warnings.push_back(fmt::format("usable budgets: {}, and the laws of the allocation need {}",
                                   usable, least_budgets));
  } else if (usable < least_budgets_for_irreducible) {
    warnings.push_back(
        fmt::format("usable budgets: {}; L(C) has no irreducible loss, for which it needs {}",
                    usable, least_budgets_for_irreducible));
  }
}

void warn_of_grids(const GridFits& fits, std::vector<std::string>& warnings) {
  for (const Grid& grid : fits.grids) {
    if (grid.problem.empty()) continue;
    warnings.push_back(fmt::format("grid of M = {}, D = {}: {}; the laws do without it",
                                   short_number(grid.model_flops, 3), short_number(grid.tokens, 3),
                                   grid.problem));
  }
  if (fits.grids.empty()) return;
  for (const auto& [law, name] :
       {std::pair{&fits.learning_rate, "learning rate"}, {&fits.batch_tokens, "batch"}}) {
    if (*law) continue;
    warnings.push_back(
        fmt::format("fewer than {} usable grids for a law of the {}", least_budgets, name));
  }
}

DatasetFit fit_dataset(const std::string& dataset, const Runs& runs, const FitOptions& options) {
  DatasetFit fit;
  fit.dataset = dataset;
  fit.unit = options.unit;
  fit.runs = runs.size();
  const Runs usable = usable_runs(runs, options, fit.warnings);
  fit.fitted_runs = usable.size();
  // Data sets have noise of their own, so that their draws can be compared.
  BootstrapOptions bootstrap = options.bootstrap;
  bootstrap.seed ^= stream_of(dataset.data(), dataset.size());
  const std::vector<LossPoint> points = best_settings(usable, options.unit);
  fit.isoflop = fit_isoflop(points, options.budget_tolerance, bootstrap);
  warn_of_isoflop(fit.isoflop, fit.warnings);
  fit.grids = fit_grids(grid_runs(usable, options.unit), bootstrap);
  warn_of_grids(fit.grids, fit.warnings);
  const auto for_surface = surface_runs(points);
  if (const std::string problem = surface_problem(for_surface); problem.empty()) {
    fit.surface = fit_loss_surface(for_surface, bootstrap);
  } else {
    fit.warnings.push_back("no loss surface: " + problem);
  }
  return fit;
}

bool has_law(const DatasetFit& fit) {
  return fit.isoflop.model_flops || fit.grids.learning_rate || fit.grids.batch_tokens ||
         fit.surface;
}

}  // namespace

Laws DatasetFit::laws() const {
  Laws laws;
  laws.source = "fit";
  laws.data = dataset;
  laws.loss_unit = enum_name(unit);
  laws.learning_rate = grids.learning_rate;
  laws.batch_tokens = grids.batch_tokens;
  laws.model_flops = isoflop.model_flops;
  laws.tokens = isoflop.tokens;
  laws.loss = isoflop.loss;
  if (surface) laws.loss_surface = surface->surface;
  return laws;
}

std::vector<DatasetFit> fit_results(const Results& results, const FitOptions& options) {
  std::vector<std::string> datasets;
  std::map<std::string, Runs> runs;
  for (const RunResult& run : results.runs) {
    if (!runs.contains(run.dataset)) datasets.push_back(run.dataset);
    runs[run.dataset].push_back(&run);
  }
  std::vector<DatasetFit> fits;
  for (const std::string& dataset : datasets) {
    fits.push_back(fit_dataset(dataset, runs[dataset], options));
    if (has_law(fits.back())) continue;
    fail_input("{}the results carry no law: {}", dataset.empty() ? "" : dataset + ": ",
               fmt::join(fits.back().warnings, "; "));
  }
  return fits;
}

}  // namespace fathom::scaling
