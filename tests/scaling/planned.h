// Runs and layouts that tests of `fathom plan` plan.
#pragma once

#include <string>

#include "scaling/layout_search.h"
#include "verify/layout_choice.h"

namespace fathom::test {

// configs/models/deepseek-llm-7b.toml with as many blocks.
inline ModelConfig model_7b(std::int64_t num_layers = 30) {
  ModelConfig model;
  model.num_layers = num_layers;
  model.hidden_size = 4096;
  model.num_heads = 32;
  model.intermediate_size = 11008;
  model.vocab_size = 102400;
  return resolve(model);
}

// configs/models/deepseek-llm-67b.toml.
inline ModelConfig model_67b(std::int64_t num_layers = 95) {
  ModelConfig model;
  model.num_layers = num_layers;
  model.hidden_size = 8192;
  model.num_heads = 64;
  model.num_kv_heads = 8;
  model.intermediate_size = 22016;
  model.vocab_size = 102400;
  return resolve(model);
}

// A model that CPUs train in tests.
inline ModelConfig tiny_model(std::int64_t num_layers = 4) {
  ModelConfig model;
  model.num_layers = num_layers;
  model.hidden_size = 64;
  model.num_heads = 4;
  model.num_kv_heads = 2;
  model.vocab_size = 256;
  model.max_position = 64;
  return resolve(model);
}

inline scaling::PlannedRun planned_run(const ModelConfig& model, std::int64_t global_batch,
                                       std::int64_t sequence_length = 4096) {
  return {model, std::int64_t{1} << 40, sequence_length, global_batch};
}

// The layout that `name` gives, as for --layouts.
inline scaling::LayoutOptions layout(const std::string& name, std::int64_t micro_batch = 1) {
  TrainConfig base;
  base.train.recompute = RecomputeChoice::none;
  const LayoutChoice choice = parse_layouts(name, base).front();
  return {choice.config.parallel, micro_batch, policy_of(choice.config.train.recompute).value()};
}

inline int gpus_of(const scaling::LayoutOptions& options) {
  const ParallelConfig& p = options.parallel;
  return static_cast<int>(p.pp * p.dp * p.tp);
}

inline scaling::FoundLayout look(const scaling::PlannedRun& run,
                                 const scaling::LayoutOptions& options,
                                 const scaling::CardProfile& card) {
  const scaling::Cluster cluster(card, gpus_of(options), 8);
  return scaling::look_at(scaling::plan_layout(run, options, gpus_of(options)), cluster,
                          scaling::OperationTime(card));
}

}  // namespace fathom::test
