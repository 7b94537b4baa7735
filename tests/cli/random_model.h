// A Hugging Face directory with tiny random weights, whose tokens are bytes.
#pragma once

#include <string>

#include "core/context.h"
#include "infer/tiny_model.h"
#include "io/temp_dir.h"
#include "model/hugging_face.h"

namespace fathom::test {

// Writes the tokenizer to `tokenizer` first.
inline void save_random_model(const std::string& path, const std::string& tokenizer) {
  write_file(tokenizer, byte_tokenizer());
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 32;
  config.num_heads = 4;
  config.vocab_size = 256;
  config.max_position = 64;
  config.init_std = 0.2;
  config = resolve(config);
  Context context(cpu_device);
  ParameterStore parameters(stage_parameters(config, whole_model(config)), DType::f32,
                            Gradients::none, cpu_device);
  for (Parameter& p : parameters.all()) {
    initialize(context, p.spec, config.init_std, 5, p.weight);
  }
  SaveModelOptions options;
  options.dtype = DType::f32;
  options.tokenizer_path = tokenizer;
  save_model(path, config, weights_of(parameters, context), options);
}

}  // namespace fathom::test
