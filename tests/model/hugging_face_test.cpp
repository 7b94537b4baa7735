// Hugging Face directories: out and in again, and every mismatch named.
#include "model/hugging_face.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "io/safetensors.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string fresh_path(const std::string& name) {
  const std::string path = testing::TempDir() + "hugging_face_test_" + name;
  fs::remove_all(path);
  return path;
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

ModelConfig small_config(bool tied) {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 24;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 8;
  config.intermediate_size = 40;
  config.vocab_size = 50;
  config.rope_theta = 50000;
  config.tie_embeddings = tied;
  return resolve(config);
}

ParameterStore filled_store(const ModelConfig& config, DType dtype) {
  ParameterStore store(parameter_table(config), dtype, Gradients::none, cpu_device);
  float value = 0;
  for (Parameter& parameter : store.all()) {
    dispatch_floating(dtype, [&](auto zero) {
      using T = decltype(zero);
      T* data = parameter.weight.as<T>();
      for (std::int64_t i = 0; i < parameter.weight.elements(); ++i) data[i] = T(value += 0.125f);
    });
  }
  return store;
}

void expect_same(const ParameterStore& a, const ParameterStore& b) {
  for (std::size_t i = 0; i < a.all().size(); ++i) {
    const Tensor &x = a.all()[i].weight, &y = b.all()[i].weight;
    ASSERT_EQ(x.bytes(), y.bytes());
    EXPECT_EQ(std::memcmp(x.data, y.data, x.bytes()), 0) << a.all()[i].spec.name;
  }
}

struct Saved {
  std::string directory;
  ModelConfig config;
  Context context{cpu_device, 1 << 16};
  ParameterStore store;

  Saved(const std::string& name, bool tied, DType dtype, std::uint64_t shard_bytes)
      : directory(fresh_path(name)),
        config(small_config(tied)),
        store(filled_store(config, dtype)) {
    SaveModelOptions options;
    options.dtype = dtype;
    options.max_shard_bytes = shard_bytes;
    options.bos_token = 1;
    options.eos_tokens = {2, 7};
    save_model(directory, config, weights_of(store, context), options);
  }
  std::string load() {
    return message_of([&] {
      ParameterStore other(parameter_table(config), DType::f32, Gradients::none, cpu_device);
      load_weights(directory, other, context);
    });
  }
  // Replaces a piece of config.json.
  std::string load_with(const std::string& from, const std::string& to) const {
    std::ifstream in(directory + "/config.json");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    const std::string copy = directory + "_edited";
    fs::create_directories(copy);
    std::ofstream(copy + "/config.json") << text.replace(at, from.size(), to);
    return message_of([&] { load_model_description(copy); });
  }
};

TEST(HuggingFace, ComesBackExactly) {
  int number = 0;
  for (const bool tied : {false, true}) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      for (const std::uint64_t shard : {std::uint64_t{1} << 30, std::uint64_t{9000}}) {
        Saved saved(fmt::format("back{}", number++), tied, dtype, shard);
        EXPECT_EQ(fs::exists(saved.directory + "/model.safetensors.index.json"), shard == 9000);
        const ModelDescription model = load_model_description(saved.directory);
        EXPECT_EQ(model.dtype, dtype);
        EXPECT_EQ(model.config.num_kv_heads, 2);
        EXPECT_EQ(model.config.head_dim, 8);
        EXPECT_EQ(model.config.rope_theta, 50000);
        EXPECT_EQ(model.config.tie_embeddings, tied);
        EXPECT_EQ(model.bos_token, 1);
        EXPECT_THAT(model.eos_tokens, testing::ElementsAre(2, 7));
        ParameterStore other(parameter_table(model.config), dtype, Gradients::none, cpu_device);
        load_weights(saved.directory, other, saved.context);
        expect_same(saved.store, other);
      }
    }
  }
}

TEST(HuggingFace, WhatLiesInThePagesOfItsFilesAsInAStoreIsReadThere) {
  int number = 0;
  for (const auto& [stored, wanted] :
       {std::pair(DType::bf16, DType::bf16), {DType::f32, DType::f32}, {DType::f32, DType::bf16}}) {
    for (const std::uint64_t shard : {std::uint64_t{1} << 30, std::uint64_t{9000}}) {
      Saved saved(fmt::format("place{}", number++), true, stored, shard);
      auto weights = std::make_shared<const DirectoryWeights>(saved.directory);
      ParameterStore copied(parameter_table(saved.config), wanted, MatrixStorage::dtype,
                            cpu_device);
      load_weights(weights_of(*weights), copied, saved.context);
      ParameterStore read(parameter_table(saved.config), wanted, MatrixStorage::dtype, cpu_device,
                          in_place(weights));
      load_weights(weights_of(*weights), read, saved.context);
      EXPECT_EQ(read.at("embedding.weight").is_in_place, stored == wanted);
      EXPECT_EQ(read.at("final_norm.weight").is_in_place, stored == wanted);
      // Keys come before queries in a file.
      EXPECT_FALSE(read.at("layers.0.attention.qkv.weight").is_in_place);
      if (shard > 9000) {
        EXPECT_EQ(read.at("layers.1.mlp.gate_up.weight").is_in_place, stored == wanted);
      }
      weights.reset();  // the store holds the files
      fs::remove_all(saved.directory);
      expect_same(copied, read);
    }
  }
}

TEST(HuggingFace, QueriesKeysAndValuesAreTheRowsOfOurMatrix) {
  Saved saved("parts", false, DType::f32, 1 << 30);
  const SafetensorsSet files(saved.directory);
  const Tensor qkv = saved.store.at("layers.1.attention.qkv.weight").weight;
  const StoredTensor& k = files.at("model.layers.1.self_attn.k_proj.weight");
  EXPECT_EQ(k.shape, (std::vector<std::int64_t>{16, 24}));
  EXPECT_EQ(std::memcmp(k.data.data(), qkv.slice(32, 16).data, k.data.size()), 0);
}

TEST(HuggingFace, ConfigsThatTheModelCannotExpressAreRefused) {
  const Saved saved("refuse", false, DType::f32, 1 << 30);
  const std::string rope = "\"rope_scaling\": null";
  EXPECT_THAT(saved.load_with("\"attention_bias\": false", "\"attention_bias\": true"),
              HasSubstr("'attention_bias' is true"));
  EXPECT_THAT(saved.load_with("\"silu\"", "\"gelu\""), HasSubstr("'hidden_act' is 'gelu'"));
  EXPECT_THAT(saved.load_with("\"llama\"", "\"qwen3\""), HasSubstr("'model_type' is \"qwen3\""));
  EXPECT_THAT(saved.load_with(rope, "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}"),
              HasSubstr("'rope_scaling' asks for rope type 'linear'"));
  EXPECT_THAT(saved.load_with("\"rope_type\": \"default\"", "\"rope_type\": \"yarn\""),
              HasSubstr("'rope_parameters' asks for rope type 'yarn'"));
  EXPECT_THAT(saved.load_with("\"hidden_size\": 24", "\"hidden_size\": \"x\""),
              HasSubstr("'hidden_size' is \"x\", not a whole number"));
  EXPECT_THAT(saved.load_with("\"hidden_size\": 24,", ""), HasSubstr("'hidden_size' is missing"));
  EXPECT_THAT(saved.load_with("\"vocab_size\": 50\n}", ""), HasSubstr("not valid JSON"));
  EXPECT_THAT(saved.load_with("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"),
              HasSubstr("num_kv_heads (3) does not divide"));
  EXPECT_THAT(message_of([] { load_model_config("/absent"); }), HasSubstr("has no config.json"));
}

TEST(HuggingFace, MissingExtraAndMisshapenTensorsAreNamed) {
  Saved saved("tensors", true, DType::f32, 1 << 30);
  EXPECT_EQ(saved.load(), "");
  const std::string path = saved.directory + "/model.safetensors";
  const std::vector<StoredTensor> tensors = [&] {
    static SafetensorsFile file(path);
    return file.tensors();
  }();
  const auto load_changed = [&](auto&& change) {
    std::vector<TensorSpec> specs(tensors.begin(), tensors.end());
    change(specs);
    SafetensorsWriter writer(path, specs);
    for (const TensorSpec& spec : std::vector(writer.tensors())) {
      writer.append(spec.name, std::vector<std::byte>(spec.bytes()));
    }
    writer.finish();
    return saved.load();
  };
  EXPECT_EQ(load_changed([](auto&) {}), "");
  EXPECT_THAT(load_changed([](auto& s) { s.pop_back(); }),
              HasSubstr(fmt::format("'{}' is missing", tensors.back().name)));
  EXPECT_THAT(load_changed([](auto& s) {
                s.push_back({"other", StoredType::f32, {1}});
              }),
              HasSubstr("holds the tensor 'other', which is none"));
  EXPECT_THAT(load_changed([](auto& s) { s[0].shape[0] += 1; }), HasSubstr("has the shape ["));
  EXPECT_THAT(load_changed([](auto& s) { s[0].type = StoredType::i32; }),
              HasSubstr("is of type I32"));
  // Old files hold these besides.
  EXPECT_EQ(load_changed([](auto& s) {
              s.push_back({"lm_head.weight", StoredType::f32, {50, 24}});
              s.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", StoredType::f32, {4}});
            }),
            "");
}

TEST(HuggingFace, HeadStoredBesideATiedEmbeddingMustBeTheSame) {
  Saved saved("tied_head", true, DType::f32, 1 << 30);
  const SafetensorsFile file(saved.directory + "/model.safetensors");
  std::vector<TensorSpec> specs(file.tensors().begin(), file.tensors().end());
  const StoredTensor& embedding = *std::ranges::find(
      file.tensors(), "model.embed_tokens.weight", [](const auto& tensor) { return tensor.name; });
  specs.push_back({"lm_head.weight", StoredType::f32, embedding.shape});
  const auto load_with_head = [&](std::byte change) {
    SafetensorsWriter writer(saved.directory + "/model.safetensors", specs);
    for (const TensorSpec& spec : std::vector(writer.tensors())) {
      const bool head = spec.name == "lm_head.weight";
      for (const StoredTensor& tensor : file.tensors()) {
        if (tensor.name != (head ? embedding.name : spec.name)) continue;
        std::vector<std::byte> bytes(tensor.data.begin(), tensor.data.end());
        if (head) bytes.back() ^= change;
        writer.append(spec.name, bytes);
      }
    }
    writer.finish();
    return saved.load();
  };
  EXPECT_EQ(load_with_head(std::byte{0}), "");
  EXPECT_THAT(load_with_head(std::byte{1}),
              HasSubstr("'lm_head.weight' is not equal to 'model.embed_tokens.weight'"));
}

std::string content_of(const std::string& path) {
  std::ifstream in(path);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

TEST(HuggingFace, WritesTheseTexts) {
  ModelConfig config = small_config(true);
  config.max_position = 64;
  config.rms_norm_eps = 1e-5;
  config.init_std = 0.02;
  const std::string directory = fresh_path("texts"), tokenizer = fresh_path("texts.json");
  const std::string tokens = R"({"model": {"vocab": {"a": 0, "b": 49}},
      "added_tokens": [{"id": 2, "content": "<end>"}, {"id": 1, "content": "<begin>"}]})";
  std::ofstream(tokenizer) << tokens;
  const ParameterStore store = filled_store(config, DType::bf16);
  Context context(cpu_device, 1 << 16);
  SaveModelOptions options;
  options.tokenizer_path = tokenizer;
  options.bos_token = 1;
  options.eos_tokens = {2, 7};
  save_model(directory, config, weights_of(store, context), options);
  EXPECT_EQ(content_of(directory + "/config.json"), R"({
  "architectures": ["LlamaForCausalLM"],
  "attention_bias": false,
  "attention_dropout": 0.0,
  "bos_token_id": 1,
  "dtype": "bfloat16",
  "eos_token_id": [2, 7],
  "head_dim": 8,
  "hidden_act": "silu",
  "hidden_size": 24,
  "initializer_range": 0.02,
  "intermediate_size": 40,
  "max_position_embeddings": 64,
  "mlp_bias": false,
  "model_type": "llama",
  "num_attention_heads": 4,
  "num_hidden_layers": 2,
  "num_key_value_heads": 2,
  "rms_norm_eps": 1e-05,
  "rope_parameters": {"rope_theta": 50000.0, "rope_type": "default"},
  "rope_scaling": null,
  "rope_theta": 50000.0,
  "tie_word_embeddings": true,
  "torch_dtype": "bfloat16",
  "use_cache": true,
  "vocab_size": 50
}
)");
  EXPECT_EQ(content_of(directory + "/generation_config.json"),
            "{\n  \"bos_token_id\": 1,\n  \"eos_token_id\": [2, 7]\n}\n");
  EXPECT_EQ(content_of(directory + "/tokenizer.json"), tokens);
  EXPECT_EQ(content_of(directory + "/tokenizer_config.json"), R"({
  "clean_up_tokenization_spaces": false,
  "bos_token": "<begin>",
  "eos_token": "<end>",
  "model_max_length": 64,
  "tokenizer_class": "PreTrainedTokenizerFast"
}
)");
  options = {};
  options.dtype = DType::f32;
  options.eos_tokens = {5};
  options.replace = true;
  config.tie_embeddings = false;
  const ParameterStore apart = filled_store(config, DType::f32);
  save_model(directory, config, weights_of(apart, context), options);
  const std::string text = content_of(directory + "/config.json");
  for (const char* line :
       {"\"bos_token_id\": null", "\"eos_token_id\": 5,", "\"dtype\": \"float32\"",
        "\"tie_word_embeddings\": false", "\"torch_dtype\": \"float32\""}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_FALSE(fs::exists(directory + "/tokenizer.json"));
}

TEST(HuggingFace, StoresTwoTypes) {
  for (const DType dtype : {DType::i32, DType::u16}) {
    SaveModelOptions options;
    options.dtype = dtype;
    EXPECT_EQ(message_of([&] { ModelFiles(small_config(true), options); }),
              fmt::format("a model is stored as f32 or bf16, not {}", name_of(dtype)));
  }
}

// A matrix of 360000 rows of 24 values is written 8 · 2^20 values at once.
TEST(HuggingFace, LargeTensorsAreWrittenInRuns) {
  ModelConfig config = small_config(true);
  config.num_layers = 1;
  config.vocab_size = 360000;
  const std::string directory = fresh_path("runs");
  fs::create_directories(directory);
  const ModelFiles files(config, {});
  ASSERT_EQ(files.shards().size(), 1u);
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;  // of the embedding
  std::size_t others = 0;
  files.write_shard(directory, 0, [&](const ParameterSpec& spec, std::int64_t row, Tensor to) {
    if (spec.name == "embedding.weight") {
      EXPECT_EQ(to.cols(), 24);
      runs.emplace_back(row, to.rows());
    } else {
      ++others;
    }
  });
  const std::int64_t at_once = (std::int64_t{8} << 20) / 24;
  EXPECT_THAT(runs, testing::ElementsAre(testing::Pair(0, at_once),
                                         testing::Pair(at_once, 360000 - at_once)));
  EXPECT_EQ(others, 10u) << "two norms and seven matrices of the block, and the last norm";
  fs::remove_all(directory);
}

TEST(HuggingFace, TokenizerMustFit) {
  Saved saved("tokenizer", false, DType::f32, 1 << 30);
  const std::string tokenizer = fresh_path("tokenizer.json");
  std::ofstream(tokenizer) << R"({"model": {"vocab": {"a": 0, "b": 3}},
                                  "added_tokens": [{"id": 2, "content": "<end>"}]})";
  SaveModelOptions options;
  options.tokenizer_path = tokenizer;
  options.eos_tokens = {2};
  const auto save = [&] {
    return message_of([&] {
      save_model(saved.directory, saved.config, weights_of(saved.store, saved.context), options);
    });
  };
  EXPECT_THAT(save(), HasSubstr("exists already"));
  options.replace = true;
  EXPECT_EQ(save(), "");
  std::ifstream in(saved.directory + "/tokenizer_config.json");
  EXPECT_THAT(std::string((std::istreambuf_iterator<char>(in)), {}),
              HasSubstr("\"eos_token\": \"<end>\""));
  std::ofstream(tokenizer) << R"({"model": {"vocab": {"a": 50}}})";
  EXPECT_THAT(save(), HasSubstr("has a token 50, but the model's vocabulary ends at 49"));
  EXPECT_EQ(load_model_config(saved.directory).vocab_size, 50);  // the old one still stands
}

}  // namespace
}  // namespace fathom
