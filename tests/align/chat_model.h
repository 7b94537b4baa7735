// A chat model with random weights that reads bytes and the special tokens of small_tokenizer().
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "align/chat_template.h"
#include "align/small_tokenizer.h"
#include "infer/model_loader.h"
#include "infer/text_engine.h"

namespace fathom {

inline infer::LoadedModel random_chat_model(std::int64_t context) {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 32;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.vocab_size = 262;
  config.max_position = context;
  config.init_std = 0.3;
  config = resolve(config);
  infer::LoadedModel model{"", small_tokenizer(), {}, nullptr, nullptr};
  model.parameters = std::make_unique<ParameterStore>(stage_parameters(config, whole_model(config)),
                                                      DType::f32, Gradients::none, cpu_device);
  model.stage = std::make_unique<Stage>(config, whole_model(config), *model.parameters,
                                        StageOptions{}, cpu_device);
  Context scratch(cpu_device);
  for (Parameter& p : model.parameters->all()) {
    initialize(scratch, p.spec, config.init_std, 5, p.weight);
  }
  return model;
}

// With an engine for one conversation at a time.
struct ChatModel {
  explicit ChatModel(std::int64_t length = 256, std::vector<std::int32_t> end_tokens = {})
      : model(random_chat_model(length)) {
    model.end_tokens = std::move(end_tokens);
    infer::EngineOptions options;
    options.limits.max_sequences = 1;
    engine.emplace(model, context, options);
  }

  // What the engine draws after these tokens, without blanks at its beginning, as valid UTF-8.
  std::string continued(std::vector<std::int32_t> tokens, std::int64_t max_tokens,
                        const infer::SamplingOptions& sampling) {
    infer::TextRequest request;
    request.prompt = std::move(tokens);
    request.max_tokens = max_tokens;
    request.sampling = sampling;
    engine->submit(request);
    std::string text;
    while (!engine->idle()) {
      for (const infer::TextEvent& event : engine->step()) text += event.text;
    }
    utf8::replace_invalid(text);
    return text.erase(0, std::min(text.find_first_not_of(" \t\r\n\v\f"), text.size()));
  }

  Context context{cpu_device};
  infer::LoadedModel model;
  std::optional<infer::TextEngine> engine;
  ChatTemplate chat = ChatTemplate::open("chatml", "", model.tokenizer);
};

}  // namespace fathom
