// config.json and generation_config.json, in.
#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "io/json_object.h"
#include "model/hugging_face.h"

namespace fathom {
namespace {

// Refuses a switch that is on and that this model does not have.
void refuse_if_true(const JsonObject& json, const char* key) {
  if (json.find_boolean(key).value_or(false)) {
    fail_input("{}: '{}' is true, but Fathom's model has none", json.source(), key);
  }
}

void check_architecture(const JsonObject& json) {
  const std::string type = json.text("model_type");
  const auto architectures =
      json.has("architectures") ? json.texts("architectures") : std::vector<std::string>();
  const bool llama = std::find(architectures.begin(), architectures.end(), "LlamaForCausalLM") !=
                     architectures.end();
  if (type != "llama" || (!architectures.empty() && !llama)) {
    fail_input("{}: 'model_type' is {} and 'architectures' {}: only llama (LlamaForCausalLM) opens",
               json.source(), json.shown("model_type"), json.shown("architectures"));
  }
  const std::string activation = json.find_text("hidden_act").value_or("silu");
  if (activation != "silu" && activation != "swish") {
    fail_input("{}: 'hidden_act' is '{}', but Fathom's model has silu", json.source(), activation);
  }
  refuse_if_true(json, "attention_bias");
  refuse_if_true(json, "mlp_bias");
  for (const char* key : {"quantization_config", "sliding_window"}) {
    if (json.has(key)) {
      fail_input("{}: '{}' is {}, which Fathom's model cannot do", json.source(), key,
                 json.shown(key));
    }
  }
}

// Base of the rotary frequencies: `rope_theta` beside `rope_scaling` up to
// transformers 4, inside `rope_parameters` from 5 on.
double read_rope_theta(const JsonObject& json) {
  double theta = json.find_number("rope_theta").value_or(10000.0);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto rope = json.find_object(key);
    if (!rope) continue;
    const auto type =
        rope->find_text("rope_type").value_or(rope->find_text("type").value_or("default"));
    if (type != "default") {
      fail_input("{}: '{}' asks for rope type '{}', but Fathom's model has only 'default'",
                 json.source(), key, type);
    }
    theta = rope->find_number("rope_theta").value_or(theta);
    if (rope->find_number("partial_rotary_factor").value_or(1) != 1) {
      fail_input("{}: 'partial_rotary_factor' is not 1: Fathom's model rotates whole heads",
                 json.source());
    }
  }
  return theta;
}

DType read_dtype(const JsonObject& json) {
  const char* key = json.has("dtype") ? "dtype" : "torch_dtype";
  const std::string name = json.find_text(key).value_or("float32");
  if (name == "bfloat16") return DType::bf16;
  if (name == "float32" || name == "float16") return DType::f32;
  fail_input("{}: '{}' is '{}', not float32, bfloat16 or float16", json.source(), key, name);
}

ModelConfig read_model_config(const JsonObject& json) {
  ModelConfig config;
  config.num_layers = json.integer("num_hidden_layers");
  config.hidden_size = json.integer("hidden_size");
  config.num_heads = json.integer("num_attention_heads");
  config.num_kv_heads = json.find_integer("num_key_value_heads").value_or(0);
  config.head_dim = json.find_integer("head_dim").value_or(0);
  config.intermediate_size = json.integer("intermediate_size");
  config.vocab_size = json.integer("vocab_size");
  config.max_position = json.find_integer("max_position_embeddings").value_or(2048);
  config.rope_theta = read_rope_theta(json);
  config.rms_norm_eps = json.find_number("rms_norm_eps").value_or(1e-6);
  config.init_std = json.find_number("initializer_range").value_or(0.02);
  config.tie_embeddings = json.find_boolean("tie_word_embeddings").value_or(false);
  // More layers than any model has: the numbers are another file's or damaged.
  constexpr std::int64_t most_layers = 100'000;
  if (config.num_layers > most_layers) {
    fail_input("{}: 'num_hidden_layers' is {}", json.source(), config.num_layers);
  }
  try {
    return resolve(config);
  } catch (const Error& error) {
    fail_input("{}: {}", json.source(), error.what());
  }
}

}  // namespace

bool is_model_directory(const std::string& directory) {
  std::error_code error;
  return std::filesystem::is_regular_file(directory + "/config.json", error);
}

ModelDescription load_model_description(const std::string& directory) {
  if (!is_model_directory(directory)) {
    fail_input("{}: has no config.json, so it is no Hugging Face model directory", directory);
  }
  const JsonObject json = JsonObject::load(directory + "/config.json");
  check_architecture(json);
  ModelDescription model;
  model.config = read_model_config(json);
  model.dtype = read_dtype(json);
  model.bos_token = json.find_integer("bos_token_id");
  model.eos_tokens = json.find_integers("eos_token_id");
  const std::string generation = directory + "/generation_config.json";
  std::error_code error;
  if (std::filesystem::exists(generation, error)) {
    const JsonObject more = JsonObject::load(generation);
    if (more.has("bos_token_id")) model.bos_token = more.find_integer("bos_token_id");
    if (more.has("eos_token_id")) model.eos_tokens = more.find_integers("eos_token_id");
  }
  return model;
}

ModelConfig load_model_config(const std::string& directory) {
  return load_model_description(directory).config;
}

}  // namespace fathom
