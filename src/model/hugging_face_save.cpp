// Hugging Face directories, out.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/json_object.h"
#include "io/mapped_file.h"
#include "io/stored_values.h"
#include "model/hugging_face.h"

namespace fathom {
namespace {

// A JSON number that Python reads as a float, never as an int.
std::string json_float(double value) {
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string token_text(const std::optional<std::int64_t>& token) {
  return token ? std::to_string(*token) : "null";
}

std::string tokens_text(const std::vector<std::int64_t>& tokens) {
  if (tokens.empty()) return "null";
  if (tokens.size() == 1) return std::to_string(tokens[0]);
  return fmt::format("[{}]", fmt::join(tokens, ", "));
}

// The keys of transformers 4 and of 5 side by side, so that both read it.
std::string config_json(const ModelConfig& c, const SaveModelOptions& options) {
  const char* dtype = options.dtype == DType::bf16 ? "bfloat16" : "float32";
  std::string out = "{\n  \"architectures\": [\"LlamaForCausalLM\"],\n";
  const auto add = [&](const char* key, const auto& value) {
    out += fmt::format("  \"{}\": {},\n", key, value);
  };
  add("attention_bias", "false");
  add("attention_dropout", "0.0");
  add("bos_token_id", token_text(options.bos_token));
  add("dtype", json_quoted(dtype));
  add("eos_token_id", tokens_text(options.eos_tokens));
  add("head_dim", c.head_dim);
  add("hidden_act", "\"silu\"");
  add("hidden_size", c.hidden_size);
  add("initializer_range", json_float(c.init_std));
  add("intermediate_size", c.intermediate_size);
  add("max_position_embeddings", c.max_position);
  add("mlp_bias", "false");
  add("model_type", "\"llama\"");
  add("num_attention_heads", c.num_heads);
  add("num_hidden_layers", c.num_layers);
  add("num_key_value_heads", c.num_kv_heads);
  add("rms_norm_eps", json_float(c.rms_norm_eps));
  add("rope_parameters",
      fmt::format("{{\"rope_theta\": {}, \"rope_type\": \"default\"}}", json_float(c.rope_theta)));
  add("rope_scaling", "null");
  add("rope_theta", json_float(c.rope_theta));
  add("tie_word_embeddings", c.tie_embeddings ? "true" : "false");
  add("torch_dtype", json_quoted(dtype));
  add("use_cache", "true");
  return out + fmt::format("  \"vocab_size\": {}\n}}\n", c.vocab_size);
}

std::string generation_json(const SaveModelOptions& options) {
  return fmt::format("{{\n  \"bos_token_id\": {},\n  \"eos_token_id\": {}\n}}\n",
                     token_text(options.bos_token), tokens_text(options.eos_tokens));
}

// Checks that the tokenizer fits the model, and returns tokenizer_config.json,
// with which AutoTokenizer opens tokenizer.json as it stands.
std::string tokenizer_config_json(const ModelConfig& config, const SaveModelOptions& options) {
  const std::string& path = options.tokenizer_path;
  const JsonObject tokenizer = options.tokenizer_json.empty()
                                   ? JsonObject::load(path)
                                   : JsonObject::parse(options.tokenizer_json, path);
  std::int64_t largest = -1;
  std::map<std::int64_t, std::string> added;
  const JsonObject vocabulary = tokenizer.object("model").object("vocab");
  for (const std::string& token : vocabulary.keys()) {
    largest = std::max(largest, vocabulary.integer(token));
  }
  if (tokenizer.has("added_tokens")) {
    for (const JsonObject& token : tokenizer.objects("added_tokens")) {
      added[token.integer("id")] = token.text("content");
      largest = std::max(largest, token.integer("id"));
    }
  }
  if (largest >= config.vocab_size) {
    fail_input("{}: has a token {}, but the model's vocabulary ends at {}: not this model's", path,
               largest, config.vocab_size - 1);
  }
  std::string out = "{\n  \"clean_up_tokenization_spaces\": false,\n";
  const auto add = [&](const char* key, const std::optional<std::int64_t>& id) {
    const auto found = id ? added.find(*id) : added.end();
    if (found != added.end()) {
      out += fmt::format("  \"{}\": {},\n", key, json_quoted(found->second));
    }
  };
  add("bos_token", options.bos_token);
  add("eos_token",
      options.eos_tokens.empty() ? std::nullopt : std::optional(options.eos_tokens[0]));
  return out + fmt::format(
                   "  \"model_max_length\": {},\n"
                   "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}}\n",
                   config.max_position);
}

}  // namespace

ModelFiles::ModelFiles(const ModelConfig& config, const SaveModelOptions& options)
    : config_(config), options_(options), table_(parameter_table(config)) {
  if (options.dtype != DType::f32 && options.dtype != DType::bf16) {
    fail_input("a model is stored as f32 or bf16, not {}", name_of(options.dtype));
  }
  if (!options.tokenizer_path.empty()) {
    tokenizer_config_ = tokenizer_config_json(config, options);
  }
  std::vector<TensorSpec> tensors;
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const ParameterSpec& spec = table_[i];
    std::int64_t row = 0;
    for (const auto& part : spec.parts) {
      std::vector<std::int64_t> shape(spec.shape.dims().begin(), spec.shape.dims().end());
      shape[0] = part.rows;
      tensors.push_back({part.name, stored_type_of(options.dtype), shape});
      sources_[part.name] = {i, row, part.rows, spec.shape.elements() / spec.shape[0]};
      row += part.rows;
    }
  }
  shards_ = plan_shards(tensors, options.max_shard_bytes);
}

void ModelFiles::write_shard(const std::string& directory, std::size_t shard,
                             const WeightReader& weights) const {
  constexpr std::int64_t chunk_values = std::int64_t{8} << 20;
  const SafetensorsShard& file = shards_.at(shard);
  SafetensorsWriter writer(directory + "/" + file.file, file.tensors, hugging_face_metadata);
  std::vector<std::byte> values;
  for (const TensorSpec& tensor : file.tensors) {
    const Source& source = sources_.at(tensor.name);
    const ParameterSpec& parameter = table_[source.parameter];
    const std::int64_t step = std::max<std::int64_t>(1, chunk_values / source.columns);
    for (std::int64_t row = 0; row < source.rows; row += step) {
      const std::int64_t count = std::min(step, source.rows - row);
      const Shape shape = parameter.shape.rank() == 1 ? Shape{count} : Shape{count, source.columns};
      values.resize(static_cast<std::size_t>(shape.elements()) * size_of(options_.dtype));
      weights(parameter, source.first_row + row, Tensor(values.data(), options_.dtype, shape));
      writer.append(tensor.name, values);
    }
  }
  writer.finish();
}

void ModelFiles::write_others(const std::string& directory) const {
  const auto write = [&](const std::string& name, std::string_view text) {
    const auto other = options_.other_files.find(name);
    if (other != options_.other_files.end()) text = other->second;
    write_file_atomically(directory + "/" + name, text, Flush::by_directory);
  };
  write("config.json", config_json(config_, options_));
  write("generation_config.json", generation_json(options_));
  if (!options_.tokenizer_path.empty()) {
    if (options_.tokenizer_json.empty()) {
      write("tokenizer.json", MappedFile(options_.tokenizer_path).text());
    } else {
      write("tokenizer.json", options_.tokenizer_json);
    }
    write("tokenizer_config.json", tokenizer_config_);
  }
  for (const auto& [name, text] : options_.other_files) {
    std::filesystem::create_directories(
        std::filesystem::path(directory + "/" + name).parent_path());
    write(name, text);
  }
  write_shard_index(directory, shards_);
}

OwnFiles model_files() {
  return {"config.json",
          "generation_config.json",
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "chat_template.jinja",
          "additional_chat_templates/*.jinja",
          "model.safetensors",
          "model-*-of-*.safetensors",
          "model.safetensors.index.json"};
}

void save_model(const std::string& directory, const ModelConfig& config,
                const WeightReader& weights, const SaveModelOptions& options) {
  const ModelFiles files(config, options);
  AtomicDirectory target =
      options.replace ? AtomicDirectory(directory, model_files()) : AtomicDirectory(directory);
  for (std::size_t i = 0; i < files.shards().size(); ++i) {
    files.write_shard(target.temporary(), i, weights);
  }
  files.write_others(target.temporary());
  target.commit();
}

}  // namespace fathom
