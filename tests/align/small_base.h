// A base model of a few thousand parameters with a tokenizer, and conversations about numbers:
// for tests of whole fine-tuning runs.
#pragma once

#include <string>

#include "align/small_tokenizer.h"
#include "io/temp_dir.h"
#include "model/hugging_face.h"

namespace fathom::test {

// dir/base, a Hugging Face directory.
inline std::string make_small_base(const TempDir& dir) {
  small_tokenizer().save(dir / "tokenizer.json");
  ModelConfig model;
  model.num_layers = 2;
  model.hidden_size = 32;
  model.num_heads = 4;
  model.num_kv_heads = 2;
  model.max_position = 96;
  model.vocab_size = 320;
  model.init_std = 0.1;
  model = resolve(model);
  Context context(cpu_device);
  ParameterStore store(parameter_table(model), DType::f32, Gradients::none, cpu_device);
  for (Parameter& parameter : store.all()) {
    initialize(context, parameter, store.shard(), model.init_std, 1);
  }
  SaveModelOptions options;
  options.dtype = DType::f32;
  options.tokenizer_path = dir / "tokenizer.json";
  save_model(dir / "base", model, weights_of(store, context), options);
  return dir / "base";
}

// dir/`name`, with conversations first, first + 1, ...
inline std::string make_conversations(const TempDir& dir, const std::string& name, int count,
                                      int first = 0) {
  std::string rows;
  for (int i = first; i < first + count; ++i) {
    rows += fmt::format(
        R"({{"messages": [{{"role": "user", "content": "{}?"}}, {{"role": "assistant", )"
        R"("content": "{} {}"}}]}})"
        "\n",
        i, i + 1, std::string(static_cast<std::size_t>(i % 17), 'a'));
  }
  write_file(dir / name, rows);
  return dir / name;
}

}  // namespace fathom::test
