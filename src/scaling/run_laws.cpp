#include "scaling/run_laws.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/config.h"
#include "core/enum_names.h"
#include "core/error.h"
#include "scaling/fit.h"
#include "scaling/flops.h"
#include "scaling/hyperparameters.h"
#include "scaling/laws_file.h"

namespace fathom::scaling {
namespace {

bool gives(const ConfigTable& config, const char* table, const std::string& key) {
  const auto found = config.table(table);
  if (!found) return false;
  const std::vector<std::string> keys = found->keys();
  return std::ranges::find(keys, key) != keys.end();
}

// Sets what the config leaves out.
void apply(const Laws& laws, const ConfigTable& given, TrainConfig& config) {
  LoopConfig& loop = config.train;
  if (!loop.tokens) {
    fail_input("laws = \"{}\" needs train.tokens: the budget is M · train.tokens", config.laws);
  }
  if (loop.sequence_length < 1) {
    fail_input("train.sequence_length is {}: use 1 or more", loop.sequence_length);
  }
  const bool peak = gives(given, "schedule", "peak"), batch = gives(given, "train", "global_batch");
  if (peak && batch) return;  // laws of the loss alone are enough
  const double compute =
      model_flops(config.model, loop.sequence_length) * static_cast<double>(*loop.tokens);
  const Hyperparameters h = hyperparameters(laws, compute);
  if (!peak) config.schedule.peak = h.learning_rate;
  if (!batch) loop.global_batch = round_batch(h.batch_sequences(loop.sequence_length));
}

// Relative standard deviation of the fitted runs about the surface; 0 where they are not known.
double scatter(const LossSurface& surface) {
  constexpr std::size_t parameters = 5;
  const auto& points = surface.record.points;
  if (points.size() <= parameters) return 0;
  double sum = 0;
  for (const auto& [m, d, loss] : points) sum += std::pow(std::log(loss / surface.at(m, d)), 2);
  return std::sqrt(sum / static_cast<double>(points.size() - parameters));
}

// The middle 95 % of runs: the law may be off by its interval, and a run from the law by the
// scatter; both are independent.
LossForecast::Point forecast_point(const LossSurface& surface, double m, double d, double scatter) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double standard_deviations = 1.96;
  const double loss = surface.at(m, d), noise = standard_deviations * scatter * loss;
  const std::optional<Interval> law = surface.interval_at(m, d);
  if (!law && scatter == 0) return {d, loss, nan, nan};
  const Interval interval = law.value_or(Interval{loss, loss});
  return {d, loss, loss - std::hypot(loss - interval.low, noise),
          loss + std::hypot(interval.high - loss, noise)};
}

// Tokens at which a forecast for a run of `tokens` begins.
double first_tokens(const LossSurface& surface, double tokens) {
  double fewest = tokens / 10;
  const auto& points = surface.record.points;
  if (!points.empty()) {
    fewest = (*std::ranges::min_element(points, {}, [](const auto& p) { return p[1]; }))[1];
  }
  return std::clamp(fewest, tokens / 100, tokens / 2);
}

}  // namespace

std::optional<LossForecast> loss_forecast(const Laws& laws, double model_flops, double tokens) {
  constexpr int count = 100;
  const auto unit = enum_of<LossUnit>(laws.loss_unit);
  if (!laws.loss_surface || !unit) return std::nullopt;
  const LossSurface& surface = *laws.loss_surface;
  LossForecast forecast;
  forecast.laws = laws.source;
  forecast.figure = *unit == LossUnit::bits_per_byte ? LossForecast::Figure::bits_per_byte
                                                     : LossForecast::Figure::loss;
  const double first = first_tokens(surface, tokens), noise = scatter(surface);
  for (int i = 0; i < count - 1; ++i) {
    const double d = first * std::pow(tokens / first, static_cast<double>(i) / (count - 1));
    forecast.points.push_back(forecast_point(surface, model_flops, d, noise));
  }
  forecast.points.push_back(forecast_point(surface, model_flops, tokens, noise));
  return forecast;
}

RunByLaws load_config_by_laws(const std::string& path, std::span<const std::string> overrides,
                              const std::string& resume) {
  RunByLaws run{load_train_config(path, overrides, resume), std::nullopt};
  TrainConfig& config = run.config;
  if (config.laws.empty()) return run;
  const Laws laws = load_laws(config.laws);
  with_location(path, [&] { apply(laws, ConfigTable::load(path, overrides), config); });
  run.forecast = loss_forecast(laws, model_flops(config.model, config.train.sequence_length),
                               static_cast<double>(*config.train.tokens));
  config.laws.clear();
  return run;
}

}  // namespace fathom::scaling
