#include "scaling/surface_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/parallel.h"
#include "scaling/robust_fit.h"

namespace fathom::scaling {
namespace {

constexpr double surface_delta = 1e-3;
constexpr std::size_t num_parameters = 5;
constexpr std::size_t least_runs = 8;
constexpr std::size_t least_sizes = 3;  // of models, and of token counts

using Parameters = std::vector<double>;

// The runs over logarithms, and the place of the surface's parameters p: with u = ln M and v = ln
// D, both less their means, the terms of L are exp(p0), exp(p1 − p3 u), exp(p2 − p4 v).
struct LogRuns {
  double centre_u = 0, centre_v = 0;
  std::vector<double> u, v, loss;
};

LogRuns log_runs(std::span<const std::array<double, 3>> runs) {
  LogRuns out;
  const auto count = static_cast<double>(runs.size());
  for (const auto& [m, d, loss] : runs) {
    out.centre_u += std::log(m) / count;
    out.centre_v += std::log(d) / count;
  }
  for (const auto& [m, d, loss] : runs) {
    out.u.push_back(std::log(m) - out.centre_u);
    out.v.push_back(std::log(d) - out.centre_v);
    out.loss.push_back(std::log(loss));
  }
  return out;
}

// ln L and its derivatives.
double log_loss(double u, double v, std::span<const double> p, std::span<double> by) {
  const std::array<double, 3> terms{p[0], p[1] - p[3] * u, p[2] - p[4] * v};
  const double high = *std::ranges::max_element(terms);
  double sum = 0;
  for (const double term : terms) sum += std::exp(term - high);
  const double value = high + std::log(sum);
  for (std::size_t k = 0; k < 3; ++k) by[k] = std::exp(terms[k] - value);
  by[3] = -u * by[1];
  by[4] = -v * by[2];
  return value;
}

// `delta` in units of surface_delta.
RobustFit fit_from(const LogRuns& runs, std::span<const double> loss, double delta,
                   Parameters start) {
  const Residual residual = [&](std::size_t i, std::span<const double> p, std::span<double> by) {
    const double value = log_loss(runs.u[i], runs.v[i], p, by);
    for (double& derivative : by) derivative /= surface_delta;
    return (value - loss[i]) / surface_delta;
  };
  return robust_fit(runs.u.size(), residual, delta, std::move(start));
}

// The irreducible loss is a share of the lowest, the other two terms halve the rest of the mean.
// Each start is fitted plainly first: far from the lowest cost, where all residuals are outliers,
// the search is slow.
Parameters fit_from_many(const LogRuns& runs) {
  const double lowest = std::exp(*std::ranges::min_element(runs.loss));
  double mean = 0;
  for (const double loss : runs.loss) mean += std::exp(loss) / static_cast<double>(runs.u.size());
  constexpr double infinity = std::numeric_limits<double>::infinity();
  RobustFit best{{}, infinity};
  for (const double share : {0.2, 0.5, 0.8}) {
    const double half = std::log((mean - share * lowest) / 2);
    for (const double a : {0.1, 0.3, 0.6, 1.0}) {
      for (const double b : {0.1, 0.3, 0.6, 1.0}) {
        Parameters plain =
            fit_from(runs, runs.loss, infinity, {std::log(share * lowest), half, half, a, b})
                .parameters;
        RobustFit fit = fit_from(runs, runs.loss, 1, std::move(plain));
        if (best.parameters.empty() || fit.cost < best.cost) best = std::move(fit);
      }
    }
  }
  return best.parameters;
}

std::array<double, num_parameters> members(const LogRuns& runs, const Parameters& p) {
  return {std::exp(p[0]), std::exp(p[1] + p[3] * runs.centre_u), p[3],
          std::exp(p[2] + p[4] * runs.centre_v), p[4]};
}

std::vector<double> residuals(const LogRuns& runs, const Parameters& p) {
  std::vector<double> all;
  Parameters unused(num_parameters);
  for (std::size_t i = 0; i < runs.u.size(); ++i) {
    all.push_back(runs.loss[i] - log_loss(runs.u[i], runs.v[i], p, unused));
  }
  return all;
}

// The residuals without the smallest, as many as parameters. delta is below the usual noise, so
// that the fit is nearly one of least absolute residuals, which leads through as many runs as it
// has parameters: their residuals are no noise.
std::vector<double> noise_of(const LogRuns& runs, const Parameters& p) {
  std::vector<double> all = residuals(runs, p);
  std::ranges::sort(all, {}, [](double residual) { return std::abs(residual); });
  all.erase(all.begin(), all.begin() + num_parameters);
  return all;
}

std::vector<Parameters> fit_draws(const LogRuns& runs, const Parameters& fitted,
                                  const BootstrapOptions& options) {
  const Noise noise(noise_of(runs, fitted), "loss_surface", options.seed);
  const double factor =
      small_sample_factor(static_cast<double>(runs.u.size()) - double{num_parameters});
  std::vector<Parameters> all(static_cast<std::size_t>(options.draws));
  parallel_for(options.draws, 4, [&](std::int64_t begin, std::int64_t end) {
    Parameters unused(num_parameters);
    for (std::int64_t draw = begin; draw < end; ++draw) {
      std::vector<double> loss;
      for (std::size_t i = 0; i < runs.u.size(); ++i) {
        loss.push_back(log_loss(runs.u[i], runs.v[i], fitted, unused) +
                       noise.at(draw, static_cast<std::int64_t>(i)));
      }
      Parameters p = fit_from(runs, loss, 1, fitted).parameters;
      for (std::size_t k = 0; k < p.size(); ++k) p[k] = fitted[k] + factor * (p[k] - fitted[k]);
      all[static_cast<std::size_t>(draw)] = std::move(p);
    }
  });
  return all;
}

void set_parameters(LossSurface& surface, const std::array<double, num_parameters>& values) {
  const std::array<Parameter*, num_parameters> targets{
      &surface.irreducible, &surface.model_coefficient, &surface.model_exponent,
      &surface.data_coefficient, &surface.data_exponent};
  for (std::size_t k = 0; k < num_parameters; ++k) {
    std::vector<double> column;
    for (const auto& draw : surface.record.draws) column.push_back(draw[k]);
    *targets[k] = {values[k], middle_95(std::move(column))};
  }
}

}  // namespace

std::string surface_problem(std::span<const std::array<double, 3>> runs) {
  std::set<double> models, tokens;
  for (const auto& [m, d, loss] : runs) {
    models.insert(m);
    tokens.insert(d);
  }
  if (runs.size() < least_runs) {
    return fmt::format("{} runs, and its five parameters need {}", runs.size(), least_runs);
  }
  if (models.size() < least_sizes || tokens.size() < least_sizes) {
    return fmt::format("{} model sizes and {} token counts, and it needs {} of each", models.size(),
                       tokens.size(), least_sizes);
  }
  return "";
}

SurfaceFit fit_loss_surface(std::span<const std::array<double, 3>> runs,
                            const BootstrapOptions& options) {
  const LogRuns logs = log_runs(runs);
  const Parameters fitted = fit_from_many(logs);
  SurfaceFit fit;
  fit.surface.record.points.assign(runs.begin(), runs.end());
  fit.noise =
      residual_factor(runs.size(), num_parameters) * robust_deviation(residuals(logs, fitted));
  for (const Parameters& p : fit_draws(logs, fitted, options)) {
    add_draw(fit.surface.record.draws, members(logs, p));
  }
  set_parameters(fit.surface, members(logs, fitted));
  return fit;
}

}  // namespace fathom::scaling
