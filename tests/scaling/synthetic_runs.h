// Runs whose losses follow known laws with noise, to see what the fits make of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "core/philox.h"
#include "scaling/results.h"

namespace fathom::scaling::synthetic {

// Normal numbers with mean 0 and standard deviation 1, by counter.
struct Normal {
  Philox random;
  double operator()(std::uint64_t i) const {
    const double u = 1 - random.uniform(2 * i), v = random.uniform(2 * i + 1);
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  }
};

// L = E + A / N^alpha + B / D^beta with the published coefficients (arXiv 2203.15556, approach 3),
// of parameters N = M / 6.
struct Chinchilla {
  double e = 1.69, a = 406.4, b = 410.7, alpha = 0.34, beta = 0.28;

  double model_coefficient() const { return a * std::pow(6, alpha); }  // of M
  double loss(double m, double d) const {
    return e + model_coefficient() / std::pow(m, alpha) + b / std::pow(d, beta);
  }
  // Where dL/dM = 0 with D = C / M.
  double best_model(double c) const {
    const double ratio = alpha * model_coefficient() / (beta * b);
    return std::pow(ratio * std::pow(c, beta), 1 / (alpha + beta));
  }
  double model_exponent() const { return beta / (alpha + beta); }
  // Of L(C) − E with the best model: both terms fall as this power of C.
  double loss_exponent() const { return -alpha * beta / (alpha + beta); }
};

// The report's laws; the loss around their optima, which it does not publish, is a parabola in
// ln M, in ln rate and in ln batch.
struct DeepSeek {
  double model_coefficient = 0.1715, model_exponent = 0.5243;
  double rate_coefficient = 0.3118, rate_exponent = -0.1250;
  double batch_coefficient = 0.2920, batch_exponent = 0.3271;

  double best_model(double c) const { return model_coefficient * std::pow(c, model_exponent); }
  double best_rate(double c) const { return rate_coefficient * std::pow(c, rate_exponent); }
  double best_batch(double c) const { return batch_coefficient * std::pow(c, batch_exponent); }
  double best_loss(double c) const { return 0.4 + 12 * std::pow(c, -0.06); }
  double loss(double m, double d) const {
    const double off = std::log(m / best_model(m * d));
    return best_loss(m * d) * (1 + 0.015 * off * off);
  }
  double loss(double c, double rate, double batch) const {
    const double r = std::log(rate / best_rate(c)), b = std::log(batch / best_batch(c));
    return best_loss(c) * (1 + 0.02 * r * r + 0.008 * b * b - 0.01 * r * b);
  }
};

struct Study {
  std::vector<double> budgets{1e17, 3e17, 1e18, 3e18, 1e19};
  int allocations = 8;        // a budget
  double spread = 2.0;        // ln of the largest by the middle model
  double centre_error = 0.2;  // standard deviation of ln of the middle model by the best
  double noise = 0.002;       // standard deviation of a loss, relative
  std::uint64_t seed = 1;
};

inline RunResult run_of(std::string name, double m, double d, double loss) {
  RunResult run;
  run.name = std::move(name);
  run.model_flops = m;
  run.tokens = d;
  run.compute = m * d;
  run.loss = loss;
  return run;
}

// An IsoFLOP study of a law with loss(M, D) and best_model(C).
template <class Law>
std::vector<RunResult> isoflop_runs(const Law& law, const Study& study) {
  const Normal normal{{study.seed, 1}};
  std::vector<RunResult> runs;
  std::uint64_t i = 0;
  for (const double c : study.budgets) {
    const double centre = law.best_model(c) * std::exp(study.centre_error * normal(i++));
    for (int k = 0; k < study.allocations; ++k) {
      const double place = 2.0 * k / (study.allocations - 1) - 1;
      const double m = centre * std::exp(study.spread * place);
      const double loss = law.loss(m, c / m) * std::exp(study.noise * normal(i++));
      runs.push_back(run_of("run" + std::to_string(runs.size()), m, c / m, loss));
    }
  }
  return runs;
}

// Grids of 6 learning rates and 5 batches at the budgets, each of the budget's best model.
inline std::vector<RunResult> grid_runs(const DeepSeek& law, const Study& study) {
  const Normal normal{{study.seed, 2}};
  std::vector<RunResult> runs;
  std::uint64_t i = 0;
  for (const double c : study.budgets) {
    const double m = law.best_model(c);
    const double rate = law.best_rate(c) * std::exp(study.centre_error * normal(i++));
    const double batch = law.best_batch(c) * std::exp(study.centre_error * normal(i++));
    for (const double r : {-1.5, -0.9, -0.3, 0.3, 0.9, 1.5}) {
      for (const double b : {-1.6, -0.8, 0.0, 0.8, 1.6}) {
        RunResult run = run_of("grid" + std::to_string(runs.size()), m, c / m, 0);
        run.learning_rate = rate * std::exp(r);
        run.batch_tokens = batch * std::exp(b);
        run.loss =
            law.loss(c, run.learning_rate, run.batch_tokens) * std::exp(study.noise * normal(i++));
        runs.push_back(std::move(run));
      }
    }
  }
  return runs;
}

}  // namespace fathom::scaling::synthetic
