// config.json and generation_config.json, in.
#include <filesystem>

#include "core/error.h"
#include "io/json_object.h"
#include "model/hugging_face.h"
#include "model/hugging_face_support.h"

namespace fathom {
namespace {

// Base of the rotary frequencies: `rope_theta` beside `rope_scaling` up to
// transformers 4, inside `rope_parameters` from 5 on.
double read_rope_theta(const JsonObject& json) {
  double theta = json.find_number("rope_theta").value_or(10000.0);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto rope = json.find_object(key);
    if (rope) theta = rope->find_number("rope_theta").value_or(theta);
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
  require_supported(json);
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
