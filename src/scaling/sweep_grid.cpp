#include "scaling/sweep_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <map>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "scaling/flops.h"
#include "scaling/hyperparameters.h"
#include "scaling/number_text.h"
#include "scaling/shape.h"

namespace fathom::scaling {
namespace {

using Shape = std::pair<std::int64_t, std::int64_t>;  // layers, width

Shape shape_key(const ModelConfig& model) {
  return {model.num_layers, model.hidden_size};
}

// Three digits, which the run's name shows.
double rounded(double rate) {
  return std::strtod(power_text(rate).c_str(), nullptr);
}

double geometric_mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

// The model with the sweep's own choice of what a shape leaves open.
ModelConfig with_shape(ModelConfig model, const ModelConfig& shape) {
  model.num_layers = shape.num_layers;
  model.hidden_size = shape.hidden_size;
  model.num_heads = shape.num_heads;
  model.num_kv_heads = shape.num_kv_heads;
  model.head_dim = shape.head_dim;
  model.intermediate_size = shape.intermediate_size;
  model.max_position = shape.max_position;
  return model;
}

std::string name_of(const char* grid, const SweepRun& run) {
  return fmt::format("{}-c{}-{}x{}-b{}-r{}", grid, power_text(run.budget), run.model.num_layers,
                     run.model.hidden_size, run.batch, power_text(run.learning_rate));
}

class SweepRuns {
 public:
  // `grid` begins their names.
  SweepRuns(const char* grid, const SweepConfig& config)
      : grid_(grid), config_(config), length_(config.run.train.sequence_length) {}

  // Tokens are rounded to a multiple of `multiple`.
  void add(double budget, const ModelConfig& shape, std::int64_t batch, double rate,
           std::int64_t multiple) {
    SweepRun run;
    run.budget = budget;
    run.model = with_shape(config_.run.model, shape);
    run.model_flops = model_flops(shape, length_);
    run.batch = batch;
    run.learning_rate = rounded(rate);
    run.name = name_of(grid_, run);
    run.tokens = whole_tokens(run, multiple);
    const auto same = std::ranges::find(runs_, run.name, &SweepRun::name);
    if (same == runs_.end()) {
      runs_.push_back(std::move(run));
    } else if (same->tokens != run.tokens) {
      fail_input("two runs are called {}: their budgets differ too little", run.name);
    }
  }
  std::vector<SweepRun> take() { return std::move(runs_); }

 private:
  std::int64_t whole_tokens(const SweepRun& run, std::int64_t multiple) const {
    constexpr std::int64_t min_steps = 10;
    const double tokens = run.budget / run.model_flops;
    constexpr double max_tokens = 1e18;
    if (!(tokens <= max_tokens)) {
      fail_input("{}: {:.3g} tokens are more than a run may have", run.name, tokens);
    }
    const auto whole = std::llround(tokens / static_cast<double>(multiple)) * multiple;
    if (whole < min_steps * multiple) {
      fail_input(
          "{}: its {:.3g} tokens are fewer than {} steps of {}: use a larger budget, smaller "
          "models "
          "or a smaller batch",
          run.name, tokens, min_steps, multiple);
    }
    return whole;
  }

  const char* grid_;
  const SweepConfig& config_;
  std::int64_t length_;
  std::vector<SweepRun> runs_;
};

// --- the IsoFLOP grid ---

// A model with the budgets that it is trained for.
struct LadderModel {
  ModelConfig shape;
  std::vector<double> budgets;
};

std::vector<ModelConfig> given_models(const std::vector<double>& flops, std::int64_t length) {
  std::map<Shape, ModelConfig> shapes;
  for (const double m : flops) {
    const ModelConfig shape = shape_for(m, length);
    shapes.try_emplace(shape_key(shape), shape);
  }
  std::vector<ModelConfig> models;
  for (const auto& [key, shape] : shapes) models.push_back(shape);
  std::ranges::sort(models, {}, [&](const ModelConfig& m) { return model_flops(m, length); });
  return models;
}

std::vector<ModelConfig> models_of(double budget, const IsoflopConfig& grid, const Laws& laws,
                                   std::int64_t length) {
  if (!grid.model_flops.empty()) return given_models(grid.model_flops, length);
  const PowerLaw& law = require_law(laws.model_flops, "model_flops", laws);
  const double ratio = grid.allocations > 1
                           ? std::pow(grid.spread, 1.0 / static_cast<double>(grid.allocations - 1))
                           : grid.spread;
  return models_around(law.at(budget), grid.allocations, ratio,
                       law.at(geometric_mean(grid.budgets)), length);
}

struct RateAndBatch {
  double rate = 0;
  std::int64_t batch = 0;
};

RateAndBatch chosen(const IsoflopConfig& grid, const Laws& laws, double budget,
                    std::int64_t length) {
  if (grid.learning_rate && grid.batch) return {*grid.learning_rate, *grid.batch};
  const Hyperparameters h = hyperparameters(laws, budget);
  return {grid.learning_rate.value_or(h.learning_rate),
          grid.batch.value_or(round_batch(h.batch_sequences(length)))};
}

std::vector<SweepRun> isoflop_runs(const SweepConfig& config, const Laws& laws) {
  SweepRuns runs("iso", config);
  const IsoflopConfig& grid = config.isoflop;
  const std::int64_t length = config.run.train.sequence_length;
  std::vector<double> budgets = grid.budgets;
  std::ranges::sort(budgets);
  std::map<double, std::vector<ModelConfig>> models;
  std::map<Shape, std::vector<double>> budgets_of;
  for (const double budget : budgets) {
    models[budget] = models_of(budget, grid, laws, length);
    for (const ModelConfig& model : models[budget]) budgets_of[shape_key(model)].push_back(budget);
  }
  for (const auto& [budget, shapes] : models) {
    for (const ModelConfig& shape : shapes) {
      const bool own = grid.hyperparameters == HyperparameterChoice::per_budget;
      const RateAndBatch h =
          chosen(grid, laws, own ? budget : geometric_mean(budgets_of[shape_key(shape)]), length);
      runs.add(budget, shape, h.batch, h.rate, h.batch * length);
    }
  }
  return runs.take();
}

// --- the hyper-parameter grid ---

std::int64_t nearest_power_of_two(std::int64_t value) {
  return std::int64_t{1} << std::llround(std::log2(static_cast<double>(value)));
}

// In sequences. A power of two for the laws' makes most factors of it divide each other.
std::vector<std::int64_t> batches_of(const HyperGridConfig& grid, const Laws& laws, double budget,
                                     std::int64_t length) {
  std::vector<std::int64_t> batches = grid.batches;
  if (batches.empty()) {
    const auto middle = static_cast<double>(
        nearest_power_of_two(hyperparameters(laws, budget).batch_sequences(length)));
    for (const double factor : grid.batch_factors) {
      batches.push_back(std::max<std::int64_t>(1, std::llround(middle * factor)));
    }
  }
  std::ranges::sort(batches);
  batches.erase(std::ranges::unique(batches).begin(), batches.end());
  return batches;
}

std::vector<double> rates_of(const HyperGridConfig& grid, const Laws& laws, double budget) {
  std::vector<double> rates = grid.learning_rates;
  if (rates.empty()) {
    const double middle = hyperparameters(laws, budget).learning_rate;
    for (const double factor : grid.rate_factors) rates.push_back(middle * factor);
  }
  std::ranges::sort(rates);
  return rates;
}

// The least number of sequences that all batches divide.
std::int64_t common_multiple(const std::vector<std::int64_t>& batches) {
  constexpr std::int64_t most = std::int64_t{1} << 40;
  std::int64_t multiple = 1;
  for (const std::int64_t batch : batches) {
    const std::int64_t factor = batch / std::gcd(multiple, batch);
    if (factor > most / multiple) {
      fail_input(
          "grid: its batches ({}) have no common multiple that a run could end at: use powers "
          "of two times one number",
          fmt::join(batches, ", "));
    }
    multiple *= factor;
  }
  return multiple;
}

std::vector<SweepRun> grid_runs(const SweepConfig& config, const Laws& laws) {
  SweepRuns runs("grid", config);
  const HyperGridConfig& grid = config.grid;
  const std::int64_t length = config.run.train.sequence_length;
  std::vector<double> budgets = grid.budgets;
  std::ranges::sort(budgets);
  for (const double budget : budgets) {
    const double flops = grid.model_flops
                             ? *grid.model_flops
                             : require_law(laws.model_flops, "model_flops", laws).at(budget);
    const ModelConfig shape = shape_for(flops, length);
    const std::vector<std::int64_t> batches = batches_of(grid, laws, budget, length);
    const std::int64_t multiple = common_multiple(batches) * length;
    for (const std::int64_t batch : batches) {
      for (const double rate : rates_of(grid, laws, budget)) {
        runs.add(budget, shape, batch, rate, multiple);
      }
    }
  }
  return runs.take();
}

}  // namespace

std::vector<ModelConfig> models_around(double optimum, std::int64_t count, double ratio,
                                       double anchor, std::int64_t sequence_length) {
  const double smallest = smallest_model_flops(sequence_length);
  const double middle = std::log(optimum / anchor) / std::log(ratio);  // in rungs
  // Rungs in the order of their distance from the middle.
  const auto nearest = std::llround(middle);
  const std::int64_t first_side = static_cast<double>(nearest) <= middle ? 1 : -1;
  std::map<Shape, ModelConfig> shapes;
  const std::int64_t most_rungs = 16 * count + 64;
  for (std::int64_t i = 0; i < most_rungs && std::ssize(shapes) < count; ++i) {
    const std::int64_t away = (i + 1) / 2 * (i % 2 == 1 ? first_side : -first_side);
    const double flops = anchor * std::pow(ratio, static_cast<double>(nearest + away));
    if (flops < smallest) continue;
    const ModelConfig shape = shape_for(flops, sequence_length);
    shapes.try_emplace(shape_key(shape), shape);
  }
  if (std::ssize(shapes) < count) {
    fail_input(
        "around M = {:.3g} there are only {} models {:.3g} times apart, and not {}: use fewer "
        "isoflop.allocations or a larger isoflop.spread",
        optimum, shapes.size(), ratio, count);
  }
  std::vector<ModelConfig> models;
  for (const auto& [key, shape] : shapes) models.push_back(shape);
  std::ranges::sort(models, {},
                    [&](const ModelConfig& m) { return model_flops(m, sequence_length); });
  return models;
}

std::vector<SweepRun> sweep_runs(const SweepConfig& config, const Laws& laws) {
  std::vector<SweepRun> runs = isoflop_runs(config, laws);
  std::ranges::move(grid_runs(config, laws), std::back_inserter(runs));
  return runs;
}

}  // namespace fathom::scaling
