#include "scaling/sweep_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/config.h"
#include "core/error.h"

namespace fathom::scaling {
namespace {

// Keys of [run] that the sweep sets for each run, and tables that make no sense in one.
constexpr std::array<std::string_view, 21> chosen_keys = {"output",
                                                          "model_file",
                                                          "init_from",
                                                          "continue_from",
                                                          "laws",
                                                          "parallel",
                                                          "model.num_layers",
                                                          "model.hidden_size",
                                                          "model.num_heads",
                                                          "model.num_kv_heads",
                                                          "model.head_dim",
                                                          "model.intermediate_size",
                                                          "model.max_position",
                                                          "train.global_batch",
                                                          "train.steps",
                                                          "train.tokens",
                                                          "train.epochs",
                                                          "train.max_minutes",
                                                          "schedule.peak",
                                                          "schedule.max_warmup",
                                                          "checkpoint.keep_tokens"};

void refuse_chosen_keys(const ConfigTable& run) {
  for (const std::string_view key : chosen_keys) {
    const std::size_t dot = key.find('.');
    const std::string_view name = dot == key.npos ? key : key.substr(dot + 1);
    const auto table = dot == key.npos ? std::optional(run) : run.table(key.substr(0, dot));
    if (!table) continue;
    const std::vector<std::string> given = table->keys();
    if (std::ranges::find(given, name) == given.end()) continue;
    fail_input("{}: a sweep sets this key for each of its runs: leave it out", table->where(name));
  }
}

template <class Number>
void check_positive(const char* key, const std::vector<Number>& values) {
  for (const Number value : values) {
    if (!(value > 0) || !std::isfinite(static_cast<double>(value))) {
      fail_input("{} holds {}: use positive numbers", key, value);
    }
  }
}

void check(const SweepConfig& c) {
  check_positive("isoflop.budgets", c.isoflop.budgets);
  check_positive("isoflop.model_flops", c.isoflop.model_flops);
  check_positive("grid.budgets", c.grid.budgets);
  check_positive("grid.learning_rates", c.grid.learning_rates);
  check_positive("grid.rate_factors", c.grid.rate_factors);
  check_positive("grid.batches", c.grid.batches);
  check_positive("grid.batch_factors", c.grid.batch_factors);
  if (c.isoflop.learning_rate)
    check_positive("isoflop.learning_rate", std::vector{*c.isoflop.learning_rate});
  if (c.isoflop.batch) check_positive("isoflop.batch", std::vector{*c.isoflop.batch});
  if (c.grid.model_flops) check_positive("grid.model_flops", std::vector{*c.grid.model_flops});
  if (c.isoflop.budgets.empty() && c.grid.budgets.empty()) {
    fail_input("the sweep has no runs: give isoflop.budgets or grid.budgets");
  }
  constexpr std::int64_t max_allocations = 1000;
  if (c.isoflop.allocations < 1 || c.isoflop.allocations > max_allocations) {
    fail_input("isoflop.allocations is {}: use 1 to {}", c.isoflop.allocations, max_allocations);
  }
  if (!(c.isoflop.spread > 1) || !std::isfinite(c.isoflop.spread)) {
    fail_input("isoflop.spread is {}: use a number above 1", c.isoflop.spread);
  }
  if (!(c.warmup >= 0 && c.warmup <= 0.5)) {
    fail_input("warmup is {}: use a share from 0 to 0.5", c.warmup);
  }
  if (!c.run.checkpoint.enabled) {
    fail_input("run.checkpoint.enabled is false: trunks and resumed runs need checkpoints");
  }
  if (c.run.eval.enabled()) {
    fail_input("run.eval.tasks: runs of a sweep are not evaluated: leave it out, and use `fathom eval` on "
               "their models");
  }
}

}  // namespace

TrainConfig usual_sweep_run() {
  TrainConfig run;
  run.threads = 1;
  run.deterministic = true;
  run.validation.every_steps = 0;
  run.validation.sample_tokens = 0;
  run.checkpoint.keep_last = 1;
  return run;
}

SweepConfig load_sweep_config(const std::string& path, std::span<const std::string> overrides) {
  const ConfigTable table = ConfigTable::load(path, overrides);
  if (const auto run = table.table("run")) refuse_chosen_keys(*run);
  SweepConfig config;
  read_config(table, config);
  with_location(path, [&] { check(config); });
  return config;
}

}  // namespace fathom::scaling
