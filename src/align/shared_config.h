// What the configs of fine-tuning and of preference training hold as TrainConfig does.
#pragma once

#include "train/config.h"

namespace fathom {

// A TrainConfig with those values. Output, initial weights, steps and schedule are still to be set.
template <class Config>
TrainConfig shared_train_config(const Config& config, const ModelConfig& model) {
  TrainConfig c;
  c.device = config.device;
  c.threads = config.threads;
  c.dtype = config.dtype;
  c.precision = config.precision;
  c.seed = config.seed;
  c.deterministic = config.deterministic;
  c.model = model;
  c.data.prefetch = config.data.prefetch;
  c.optimizer = config.optimizer;
  c.validation.every_steps = config.validation.every_steps;
  c.validation.sample_prompts = config.validation.sample_prompts;
  c.validation.sample_tokens = config.validation.sample_tokens;
  c.validation.sample_temperature = config.validation.sample_temperature;
  c.repetition = config.repetition;
  c.eval = config.eval;
  c.checkpoint = config.checkpoint;
  c.parallel = config.parallel;
  c.guard = config.guard;
  return c;
}

}  // namespace fathom
