// Models with random weights, large enough for their choices to differ, and a tokenizer
// of single bytes.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/context.h"
#include "infer/model_loader.h"
#include "model/hugging_face.h"
#include "model/parameters.h"
#include "model/stage.h"
#include "tokenizer/byte_level.h"

namespace fathom::test {

using Tokens = std::vector<std::int32_t>;

inline ModelConfig tiny_config(std::int64_t vocabulary = 97, std::int64_t num_kv_heads = 2) {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 32;
  config.num_heads = 4;
  config.num_kv_heads = num_kv_heads;
  config.vocab_size = vocabulary;
  config.max_position = 64;
  config.init_std = 0.3;
  return resolve(config);
}

// ln p of `token` under the softmax of the logits.
inline float log_probability(std::span<const float> logits, std::int32_t token) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit});
  return static_cast<float>(logits[static_cast<std::size_t>(token)] - std::log(sum));
}

// Logits of the last token of `tokens`, all of them read without a cache.
inline std::vector<float> last_logits(const Stage& stage, Context& context, Tokens tokens) {
  const auto n = static_cast<std::int64_t>(tokens.size());
  Tokens positions(tokens.size()), offsets{0, static_cast<std::int32_t>(n)};
  for (std::size_t i = 0; i < tokens.size(); ++i) positions[i] = static_cast<std::int32_t>(i);
  MicroBatch batch;
  batch.ids = Tensor(tokens.data(), DType::i32, {n});
  batch.tokens.positions = Tensor(positions.data(), DType::i32, {n});
  batch.tokens.segments = {Tensor(offsets.data(), DType::i32, {2}), n};
  Arena arena(cpu_device, std::size_t{4} << 20);
  const std::int64_t vocabulary = stage.config().vocab_size;
  std::vector<float> logits(static_cast<std::size_t>(vocabulary));
  const std::int32_t row[] = {static_cast<std::int32_t>(n - 1)};
  stage.logits(context, batch, arena, row, Tensor(logits.data(), DType::f32, {1, vocabulary}));
  return logits;
}

struct TinyModel {
  ModelConfig config;
  Context context;
  ParameterStore parameters;
  Stage stage;

  explicit TinyModel(const ModelConfig& wanted = tiny_config(), DType dtype = DType::f32,
                     StageOptions options = {}, Device device = cpu_device,
                     MatrixStorage storage = MatrixStorage::dtype)
      : config(wanted),
        context(device),
        parameters(stage_parameters(config, whole_model(config)), dtype, storage, device),
        stage(config, whole_model(config), parameters, options, device) {
    if (storage == MatrixStorage::dtype) {
      for (Parameter& p : parameters.all()) {
        initialize(context, p.spec, config.init_std, 5, p.weight);
      }
      return;
    }
    load_weights(
        [&](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
          initialize_rows(context, spec, config.init_std, 5, first_row, rows);
        },
        parameters, context);
  }

  std::vector<float> last_logits(Tokens tokens) {
    return test::last_logits(stage, context, std::move(tokens));
  }

  Tokens greedy(Tokens tokens, int count) {
    Tokens generated;
    for (int i = 0; i < count; ++i) {
      const std::vector<float> logits = last_logits(tokens);
      const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      generated.push_back(static_cast<std::int32_t>(best));
      tokens.push_back(generated.back());
    }
    return generated;
  }
};

// tokenizer.json of the 256 bytes, then these special tokens from id 256 on.
inline std::string byte_tokenizer(const std::vector<std::string>& special = {}) {
  std::string vocab, added;
  for (int byte = 0; byte < 256; ++byte) {
    std::string token;
    const char c = static_cast<char>(byte);
    tokenizer::append_byte_level(token, std::string_view(&c, 1));
    vocab += byte ? ",\"" : "\"";
    if (token == "\"" || token == "\\") vocab += '\\';
    vocab += token;
    vocab += fmt::format("\":{}", byte);
  }
  for (std::size_t i = 0; i < special.size(); ++i) {
    added += fmt::format(R"({}{{"id":{},"content":"{}","single_word":false,"lstrip":false,)"
                         R"("rstrip":false,"normalized":false,"special":true}})",
                         i ? "," : "", 256 + i, special[i]);
  }
  return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)" + added +
         R"(],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,)"
         R"("trim_offsets":true,"use_regex":false},"post_processor":null,)"
         R"("decoder":{"type":"ByteLevel"},"model":{"type":"BPE","dropout":null,)"
         R"("unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,)"
         R"("fuse_unk":false,"byte_fallback":false,"vocab":{)" +
         vocab + R"(},"merges":[]}})";
}

}  // namespace fathom::test
