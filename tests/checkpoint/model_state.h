// The checkpoint of a small model with drawn weights, for the tests of what is made of one.
#pragma once

#include "checkpoint/checkpoint_state.h"
#include "core/config.h"
#include "model/parameters.h"

namespace fathom::test {

inline ModelConfig small_model() {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 32;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.vocab_size = 96;
  config.max_position = 64;
  config.init_std = 0.1;
  return resolve(config);
}

// Written as `step` of `directory`; the path.
inline std::string saved_model(const std::string& directory, std::int64_t step,
                               const ModelConfig& model, DType dtype = DType::f32) {
  Context context(cpu_device, 1 << 16);
  ParameterStore store(parameter_table(model), dtype, Gradients::none, cpu_device);
  std::vector<CheckpointTensor> tensors;
  for (Parameter& parameter : store.all()) {
    initialize(context, parameter, {}, model.init_std, static_cast<std::uint64_t>(step));
    tensors.push_back(
        CheckpointTensor::whole(StateKind::weight, parameter.spec.name, parameter.weight));
  }
  TrainingState state;
  state.step = step;
  ModelConfig config = model;
  state.config_toml = "[model]\n" + config_to_toml(config);
  const std::string path = directory + "/" + checkpoint_name(step);
  write_checkpoint(path, tensors, state);
  return path;
}

}  // namespace fathom::test
