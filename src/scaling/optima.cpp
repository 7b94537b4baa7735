#include "scaling/optima.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/parallel.h"

namespace fathom::scaling {
namespace {

// Losses that a quadratic meets exactly have noise all the same: of their rounding.
constexpr double least_noise = 1e-9;

double level(const Experiment& experiment) {
  return std::accumulate(experiment.loss.begin(), experiment.loss.end(), 0.0) /
         static_cast<double>(experiment.loss.size());
}

// Relative to each experiment's mean loss, and scaled to the spread of the noise.
std::vector<double> residuals(std::span<const Experiment> experiments, const Optima& optima) {
  std::vector<double> all;
  for (std::size_t e = 0; e < experiments.size(); ++e) {
    const Experiment& one = experiments[e];
    const double factor = residual_factor(one.x.size(), parameter_count(one.axes)) / level(one);
    for (std::size_t i = 0; i < one.x.size(); ++i) {
      all.push_back(factor * (one.loss[i] - optima.each[e].fit.at(one.x[i])));
    }
  }
  return all;
}

void fit_all(std::span<const Experiment> experiments, double noise, Optima& optima) {
  for (std::size_t e = 0; e < experiments.size(); ++e) {
    const Experiment& one = experiments[e];
    optima.each[e].fit = fit_quadratic(one.axes, one.x, one.loss, noise * level(one));
  }
  optima.noise = std::max(robust_deviation(residuals(experiments, optima)), least_noise);
}

void draw(const Experiment& experiment, std::int64_t first, const Noise& noise, double deviation,
          Optimum& optimum, std::int64_t index) {
  const double scale = level(experiment);
  std::vector<double> loss;
  for (std::size_t i = 0; i < experiment.x.size(); ++i) {
    loss.push_back(optimum.fit.at(experiment.x[i]) +
                   scale * noise.at(index, first + static_cast<std::int64_t>(i)));
  }
  optimum.draws[static_cast<std::size_t>(index)] =
      fit_quadratic(experiment.axes, experiment.x, loss, deviation * scale);
}

}  // namespace

Optima find_optima(std::span<const Experiment> experiments, std::string_view name,
                   const BootstrapOptions& options) {
  Optima optima;
  if (experiments.empty()) return optima;
  optima.each.resize(experiments.size());
  for (const Experiment& one : experiments) {
    optima.freedom += static_cast<double>(one.x.size() - parameter_count(one.axes));
  }
  // The noise is known only after a fit that needed it: plain least squares comes first.
  fit_all(experiments, std::numeric_limits<double>::infinity(), optima);
  for (int round = 0; round < 2; ++round) fit_all(experiments, optima.noise, optima);
  const Noise noise(residuals(experiments, optima), name, options.seed);
  for (Optimum& optimum : optima.each) {
    optimum.draws.resize(static_cast<std::size_t>(options.draws));
  }
  parallel_for(options.draws, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t index = begin; index < end; ++index) {
      std::int64_t first = 0;
      for (std::size_t e = 0; e < experiments.size(); ++e) {
        draw(experiments[e], first, noise, optima.noise, optima.each[e], index);
        first += static_cast<std::int64_t>(experiments[e].x.size());
      }
    }
  });
  return optima;
}

}  // namespace fathom::scaling
