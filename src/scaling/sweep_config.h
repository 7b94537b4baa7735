// The config of a sweep, which `fathom scaling plan` reads: many small runs of one kind, from whose
// losses laws are fitted. `fathom scaling plan --help-config` lists every key.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/config.h"

namespace fathom::scaling {

// By which budget a law gives the learning rate and the batch of an IsoFLOP grid's runs.
enum class HyperparameterChoice {
  per_model,   // the middle one of the budgets that the model is trained for: they share a trunk
  per_budget,  // the run's own
};
inline std::span<const std::string_view> enum_names(HyperparameterChoice) {
  static constexpr std::string_view names[] = {"per_model", "per_budget"};
  return names;
}

// Budgets × models (arXiv 2401.02954, section 3.2): each budget is spent on several sizes of model.
// Off without budgets.
struct IsoflopConfig {
  std::vector<double> budgets;
  std::int64_t allocations = 8;
  double spread = 16;
  std::vector<double> model_flops;
  HyperparameterChoice hyperparameters = HyperparameterChoice::per_model;
  std::optional<double> learning_rate;
  std::optional<std::int64_t> batch;
};
template <class Visitor>
void visit_fields(IsoflopConfig& c, Visitor&& field) {
  field("budgets", c.budgets, "FLOPs, each spent on `allocations` models; none: no such runs");
  field("allocations", c.allocations, "models of a budget, around the laws' optimum for it");
  field("spread", c.spread, "FLOPs a token of its largest model by those of its smallest");
  field("model_flops", c.model_flops, "in place of both: FLOPs a token of every budget's models");
  field("hyperparameters", c.hyperparameters,
        "budget by which the laws give rate and batch: the model's middle one, or the run's own");
  field("learning_rate", c.learning_rate, "of all runs, in place of the laws'");
  field("batch", c.batch, "sequences of a step of all runs, in place of the laws'");
}

// Learning rates × batches at each of some budgets (section 3.1). Off without budgets.
struct HyperGridConfig {
  std::vector<double> budgets;
  std::optional<double> model_flops;
  std::vector<double> learning_rates;
  std::vector<double> rate_factors = {0.25, 0.5, 1, 2, 4};
  std::vector<std::int64_t> batches;
  std::vector<double> batch_factors = {0.25, 0.5, 1, 2, 4};
};
template <class Visitor>
void visit_fields(HyperGridConfig& c, Visitor&& field) {
  field("budgets", c.budgets, "FLOPs of a run; none: no such runs");
  field("model_flops", c.model_flops, "FLOPs a token of the model; unset: each budget's optimum");
  field("learning_rates", c.learning_rates, "peaks");
  field("rate_factors", c.rate_factors, "in their place: times the laws' rate for the budget");
  field("batches", c.batches, "sequences of a step");
  field("batch_factors", c.batch_factors, "in their place: times the laws' batch for the budget");
}

// What a sweep's runs have for defaults: one thread, no samples of text, one validation, at the
// end, and the same bits each time.
TrainConfig usual_sweep_run();

struct SweepConfig {
  std::string dataset;
  std::string laws = "deepseek";
  bool trunks = true;
  double warmup = 0.05;
  IsoflopConfig isoflop;
  HyperGridConfig grid;
  TrainConfig run = usual_sweep_run();
};
template <class Visitor>
void visit_fields(SweepConfig& c, Visitor&& field) {
  field("dataset", c.dataset, "name of the data in the results, where several are compared");
  field("laws", c.laws, "laws file that says where to look, or deepseek for the report's");
  field("trunks", c.trunks,
        "train what runs of several budgets have in common once; not with data.phases");
  field("warmup", c.warmup, "longest warm-up as a share of a model's shortest run");
  field("isoflop", c.isoflop, "");
  field("grid", c.grid, "");
  field("run", c.run, "");
}

// Throws an input Error with file and line; also for a key of [run] whose value is the sweep's to
// choose, and for a sweep without runs.
SweepConfig load_sweep_config(const std::string& path, std::span<const std::string> overrides = {});

}  // namespace fathom::scaling
