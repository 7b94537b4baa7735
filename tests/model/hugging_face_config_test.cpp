// config.json and generation_config.json: every key that is read, and every key that is
// refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/json_object.h"
#include "io/safetensors.h"
#include "io/temp_dir.h"
#include "model/hugging_face.h"

namespace fathom {
namespace {

using test::input_error_of;
using test::TempDir;
using test::write_file;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* sizes = R"("num_hidden_layers": 3, "hidden_size": 64,
  "num_attention_heads": 4, "intermediate_size": 96, "vocab_size": 100)";

// A directory with a config.json of the smallest kind and `more` keys.
class ConfigDirectory {
 public:
  ModelDescription load(const std::string& more = "", const std::string& type = "llama") {
    write_file(dir_ / "config.json", fmt::format("{{\"model_type\": \"{}\", {}{}}}", type, sizes,
                                                 more.empty() ? "" : ", " + more));
    return load_model_description(dir_.path());
  }
  std::string error(const std::string& more, const std::string& type = "llama") {
    return input_error_of([&] { load(more, type); });
  }
  void generation(const std::string& text) { write_file(dir_ / "generation_config.json", text); }

 private:
  TempDir dir_;
};

TEST(HuggingFaceConfig, AbsentKeysMeanWhatTransformersTakesThemFor) {
  const ModelDescription model = ConfigDirectory().load();
  EXPECT_EQ(model.config.num_layers, 3);
  EXPECT_EQ(model.config.hidden_size, 64);
  EXPECT_EQ(model.config.num_heads, 4);
  EXPECT_EQ(model.config.num_kv_heads, 4);
  EXPECT_EQ(model.config.head_dim, 16);
  EXPECT_EQ(model.config.intermediate_size, 96);
  EXPECT_EQ(model.config.vocab_size, 100);
  EXPECT_EQ(model.config.max_position, 2048);
  EXPECT_EQ(model.config.rope_theta, 10000);
  EXPECT_EQ(model.config.rms_norm_eps, 1e-6);
  EXPECT_EQ(model.config.init_std, 0.02);
  EXPECT_FALSE(model.config.tie_embeddings);
  EXPECT_EQ(model.dtype, DType::f32);
  EXPECT_EQ(model.bos_token, std::nullopt);
  EXPECT_THAT(model.eos_tokens, IsEmpty());
}

TEST(HuggingFaceConfig, EachKeyIsRead) {
  const ModelDescription model = ConfigDirectory().load(
      R"("num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 512,
         "rope_theta": 5e5, "rms_norm_eps": 1e-5, "initializer_range": 0.01,
         "tie_word_embeddings": true, "torch_dtype": "bfloat16", "bos_token_id": 1,
         "eos_token_id": 2)");
  EXPECT_EQ(model.config.num_kv_heads, 2);
  EXPECT_EQ(model.config.head_dim, 32);
  EXPECT_EQ(model.config.max_position, 512);
  EXPECT_EQ(model.config.rope_theta, 500000);
  EXPECT_EQ(model.config.rms_norm_eps, 1e-5);
  EXPECT_EQ(model.config.init_std, 0.01);
  EXPECT_TRUE(model.config.tie_embeddings);
  EXPECT_EQ(model.dtype, DType::bf16);
  EXPECT_EQ(model.bos_token, 1);
  EXPECT_THAT(model.eos_tokens, ElementsAre(2));
}

TEST(HuggingFaceConfig, TypeOfTheWeightsHasTwoKeys) {
  ConfigDirectory dir;
  EXPECT_EQ(dir.load(R"("torch_dtype": "bfloat16")").dtype, DType::bf16);
  EXPECT_EQ(dir.load(R"("dtype": "bfloat16")").dtype, DType::bf16);
  EXPECT_EQ(dir.load(R"("dtype": "bfloat16", "torch_dtype": "float32")").dtype, DType::bf16);
  EXPECT_EQ(dir.load(R"("dtype": null, "torch_dtype": "bfloat16")").dtype, DType::bf16);
  EXPECT_EQ(dir.load(R"("torch_dtype": "float16")").dtype, DType::f32);
  EXPECT_THAT(dir.error(R"("torch_dtype": "int8")"), HasSubstr("'torch_dtype' is 'int8'"));
}

TEST(HuggingFaceConfig, RotaryBaseIsReadWhereverItStands) {
  ConfigDirectory dir;
  const auto theta = [&](const char* more) { return dir.load(more).config.rope_theta; };
  EXPECT_EQ(theta(R"("rope_theta": 20000)"), 20000);
  EXPECT_EQ(theta(R"("rope_parameters": {"rope_type": "default", "rope_theta": 30000})"), 30000);
  EXPECT_EQ(theta(R"("rope_theta": 20000, "rope_parameters": {"rope_theta": 30000})"), 30000);
  EXPECT_EQ(theta(R"("rope_theta": 20000, "rope_parameters": {"rope_type": "default"})"), 20000);
  EXPECT_EQ(theta(R"("rope_theta": 20000, "rope_scaling": {"type": "default"})"), 20000);
  EXPECT_EQ(theta(R"("rope_theta": 20000, "rope_scaling": {"type": "linear", "factor": 1.0})"),
            20000);
}

TEST(HuggingFaceConfig, GenerationConfigSaysWhereTextsEnd) {
  ConfigDirectory dir;
  dir.generation(R"({"bos_token_id": 5, "eos_token_id": [6, 7]})");
  ModelDescription model = dir.load(R"("bos_token_id": 1, "eos_token_id": 2)");
  EXPECT_EQ(model.bos_token, 5);
  EXPECT_THAT(model.eos_tokens, ElementsAre(6, 7));
  dir.generation(R"({"bos_token_id": null, "temperature": 0.6})");
  model = dir.load(R"("bos_token_id": 1, "eos_token_id": [2, 3])");
  EXPECT_EQ(model.bos_token, 1);
  EXPECT_THAT(model.eos_tokens, ElementsAre(2, 3));
  dir.generation(R"({"eos_token_id": "x"})");
  EXPECT_THAT(dir.error(""), HasSubstr("generation_config.json: 'eos_token_id' is \"x\""));
}

TEST(HuggingFaceConfig, OtherMathematicsIsRefusedByName) {
  ConfigDirectory dir;
  struct Case {
    const char *key, *value;
  };
  for (const auto& [key, value] : {Case{"attention_bias", "true"},
                                   {"mlp_bias", "true"},
                                   {"qkv_bias", "true"},
                                   {"use_qkv_bias", "true"},
                                   {"attention_out_bias", "true"},
                                   {"bias", "true"},
                                   {"use_bias", "true"},
                                   {"hidden_act", "\"gelu\""},
                                   {"hidden_activation", "\"relu\""},
                                   {"sliding_window", "2047"},
                                   {"layer_types", "[\"full_attention\", \"sliding_attention\"]"},
                                   {"quantization_config", "{\"bits\": 4}"},
                                   {"attn_logit_softcapping", "50.0"},
                                   {"final_logit_softcapping", "30.0"},
                                   {"clip_qkv", "8.0"},
                                   {"attention_multiplier", "0.015625"},
                                   {"query_pre_attn_scalar", "256"},
                                   {"scale_depth", "1.4"},
                                   {"dim_model_base", "256"},
                                   {"qk_layernorm", "true"},
                                   {"use_qk_norm", "true"},
                                   {"qk_norm", "true"},
                                   {"no_rope_layers", "[1, 1, 0]"},
                                   {"no_rope_layer_interval", "4"},
                                   {"alibi", "true"},
                                   {"parallel_attn", "true"},
                                   {"use_parallel_residual", "true"},
                                   {"add_cross_attention", "true"},
                                   {"num_experts", "8"},
                                   {"num_local_experts", "8"},
                                   {"n_routed_experts", "64"},
                                   {"partial_rotary_factor", "0.5"},
                                   {"rotary_pct", "0.25"},
                                   {"embedding_multiplier", "12"},
                                   {"scale_emb", "12"},
                                   {"residual_multiplier", "0.22"},
                                   {"logits_scaling", "8"},
                                   {"logit_scale", "0.0625"},
                                   {"lm_head_multiplier", "0.5"}}) {
    EXPECT_THAT(dir.error(fmt::format("\"{}\": {}", key, value)),
                HasSubstr(fmt::format("config.json: '{}' is ", key)));
  }
}

TEST(HuggingFaceConfig, ScaledAndPartialRotaryEmbeddingsAreRefused) {
  ConfigDirectory dir;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    for (const char* type : {"linear", "dynamic", "yarn", "longrope", "su", "llama3"}) {
      for (const char* type_key : {"type", "rope_type"}) {
        EXPECT_THAT(
            dir.error(fmt::format(R"("{}": {{"{}": "{}", "factor": 2.0}})", key, type_key, type)),
            HasSubstr(fmt::format("'{}' asks for rope type '{}'", key, type)));
      }
    }
    EXPECT_THAT(dir.error(fmt::format(R"("{}": {{"partial_rotary_factor": 0.5}})", key)),
                HasSubstr("'partial_rotary_factor' is not 1"));
    EXPECT_THAT(dir.error(fmt::format(R"("{}": {{"full_attention": {{"rope_theta": 1e6}}}})", key)),
                HasSubstr("differ by layer"));
    EXPECT_THAT(dir.error(fmt::format(R"("{}": {{"sliding_attention": {{}}}})", key)),
                HasSubstr("differ by layer"));
  }
}

TEST(HuggingFaceConfig, OtherArchitecturesAreRefusedWithTheirDifference) {
  ConfigDirectory dir;
  EXPECT_THAT(dir.error("", "qwen2"),
              AllOf(HasSubstr("'model_type' is \"qwen2\""), HasSubstr("values have biases")));
  EXPECT_THAT(dir.error("", "qwen3"), HasSubstr("normalises queries and keys"));
  EXPECT_THAT(dir.error("", "phi"), HasSubstr("partial rotary embeddings"));
  EXPECT_THAT(dir.error("", "phi3"), HasSubstr("as one matrix"));
  EXPECT_THAT(dir.error("", "gemma"), HasSubstr("scales its embeddings"));
  EXPECT_THAT(dir.error("", "gemma2"), HasSubstr("gemma2 differs: it caps its logits"));
  EXPECT_THAT(dir.error("", "gemma3_text"), HasSubstr("differs: it normalises queries and keys"));
  for (const char* type : {"mixtral", "deepseek_v2", "deepseek_v3"}) {
    EXPECT_THAT(dir.error("", type), HasSubstr(std::string(type) + " differs: it has experts"));
  }
  EXPECT_THAT(dir.error("", "something"), testing::EndsWith("(MistralForCausalLM) open"));
  EXPECT_THAT(dir.error(R"("architectures": ["LlamaForSequenceClassification"])"),
              HasSubstr("'architectures' [\"LlamaForSequenceClassification\"]"));
  EXPECT_THAT(dir.error(R"("architectures": ["MistralForCausalLM"])"), HasSubstr("only llama"));
}

TEST(HuggingFaceConfig, MistralOpensWhereItsWindowHidesNothing) {
  ConfigDirectory dir;
  const std::string keys = R"("architectures": ["MistralForCausalLM"], "num_key_value_heads": 2,
                              "max_position_embeddings": 32768, "rope_theta": 1000000.0)";
  EXPECT_EQ(dir.load(keys + R"(, "sliding_window": null)", "mistral").config.num_kv_heads, 2);
  EXPECT_EQ(dir.load(keys + R"(, "sliding_window": 32768)", "mistral").config.max_position, 32768);
  EXPECT_THAT(dir.error(keys + R"(, "sliding_window": 4096)", "mistral"),
              HasSubstr("'sliding_window' is 4096"));
  EXPECT_THAT(dir.error(keys, "mistral"), HasSubstr("'sliding_window' is missing"));
}

// The keys that published Llama, TinyLlama and DeepSeek LLM configs carry besides.
TEST(HuggingFaceConfig, KeysThatChangeNothingAreAccepted) {
  ConfigDirectory dir;
  const ModelDescription model = dir.load(
      R"("architectures": ["LlamaForCausalLM"], "_name_or_path": "x", "attention_bias": false,
         "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": null,
         "hidden_act": "silu", "initializer_range": 0.02, "mlp_bias": false, "pretraining_tp": 2,
         "rope_scaling": null, "use_cache": true, "transformers_version": "4.31.0.dev0",
         "torch_dtype": "bfloat16", "sliding_window": null, "use_sliding_window": false,
         "partial_rotary_factor": 1.0, "num_experts": 0, "layer_types": ["full_attention"],
         "quantization_config": null, "auto_map": {"AutoConfig": "x"}, "unsloth_version": "1",
         "head_dim": null, "max_window_layers": 28, "residual_multiplier": 1, "logit_scale": 1.0)");
  EXPECT_EQ(model.config.head_dim, 16);
  EXPECT_EQ(dir.load(R"("sliding_window": 16, "use_sliding_window": false)").config.num_layers, 3);
}

// What other programs read: both generations of keys, each with its value.
TEST(HuggingFaceConfig, SavedConfigSaysWhatTheModelIs) {
  const TempDir dir;
  ModelConfig config;
  config.num_layers = 1;
  config.hidden_size = 24;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 8;
  config.intermediate_size = 40;
  config.vocab_size = 50;
  config.max_position = 77;
  config.rope_theta = 50000;
  config.rms_norm_eps = 1e-5;
  config.init_std = 0.01;
  config.tie_embeddings = true;
  config = resolve(config);
  Context context(cpu_device, 1 << 16);
  ParameterStore store(parameter_table(config), DType::f32, Gradients::none, cpu_device);
  SaveModelOptions options;
  options.bos_token = 3;
  options.eos_tokens = {4};
  save_model(dir / "model", config, weights_of(store, context), options);
  const JsonObject json = JsonObject::load(dir / "model/config.json");
  for (const auto& [key, value] : {std::pair{"num_hidden_layers", 1},
                                   {"hidden_size", 24},
                                   {"num_attention_heads", 4},
                                   {"num_key_value_heads", 2},
                                   {"head_dim", 8},
                                   {"intermediate_size", 40},
                                   {"vocab_size", 50},
                                   {"max_position_embeddings", 77},
                                   {"bos_token_id", 3},
                                   {"eos_token_id", 4}}) {
    EXPECT_EQ(json.integer(key), value) << key;
  }
  EXPECT_EQ(json.number("rope_theta"), 50000);
  EXPECT_EQ(json.object("rope_parameters").number("rope_theta"), 50000);
  EXPECT_EQ(json.object("rope_parameters").text("rope_type"), "default");
  EXPECT_EQ(json.number("rms_norm_eps"), 1e-5);
  EXPECT_EQ(json.number("initializer_range"), 0.01);
  EXPECT_TRUE(json.boolean("tie_word_embeddings"));
  EXPECT_EQ(json.text("dtype"), "bfloat16");
  EXPECT_EQ(json.text("torch_dtype"), "bfloat16");
  EXPECT_EQ(json.text("model_type"), "llama");
  EXPECT_THAT(json.texts("architectures"), ElementsAre("LlamaForCausalLM"));
  EXPECT_EQ(json.text("hidden_act"), "silu");
  EXPECT_FALSE(json.boolean("attention_bias"));
  EXPECT_FALSE(json.boolean("mlp_bias"));
  const JsonObject generation = JsonObject::load(dir / "model/generation_config.json");
  EXPECT_EQ(generation.integer("bos_token_id"), 3);
  EXPECT_EQ(generation.integer("eos_token_id"), 4);
}

}  // namespace
}  // namespace fathom
