// Hugging Face directories, out.
#include <algorithm>
#include <map>

#include "core/error.h"
#include "io/atomic_directory.h"
#include "io/atomic_file.h"
#include "io/json_object.h"
#include "io/mapped_file.h"
#include "io/safetensors.h"
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
std::string tokenizer_config_json(const std::string& path, const ModelConfig& config,
                                  const SaveModelOptions& options) {
  const JsonObject tokenizer = JsonObject::load(path);
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

// Where the rows of a stored tensor stand in our table.
struct Source {
  const ParameterSpec* spec;
  std::int64_t first_row, rows, columns;
};

void write_weights(const std::string& directory, const std::vector<ParameterSpec>& table,
                   const WeightReader& weights, const SaveModelOptions& options) {
  std::vector<TensorSpec> specs;
  std::map<std::string, Source> sources;
  for (const ParameterSpec& spec : table) {
    std::int64_t row = 0;
    for (const auto& part : spec.parts) {
      std::vector<std::int64_t> shape(spec.shape.dims().begin(), spec.shape.dims().end());
      shape[0] = part.rows;
      specs.push_back({part.name, stored_type_of(options.dtype), shape});
      sources[part.name] = {&spec, row, part.rows, spec.shape.elements() / spec.shape[0]};
      row += part.rows;
    }
  }
  constexpr std::int64_t chunk_values = std::int64_t{4} << 20;
  ShardedSafetensorsWriter writer(directory, specs, options.max_shard_bytes);
  std::vector<float> values;
  std::vector<std::byte> converted;
  for (const TensorSpec& tensor : writer.tensors()) {
    const Source& source = sources.at(tensor.name);
    const std::int64_t step = std::max<std::int64_t>(1, chunk_values / source.columns);
    for (std::int64_t row = 0; row < source.rows; row += step) {
      const std::int64_t count = std::min(step, source.rows - row);
      const bool vector = source.spec->shape.rank() == 1;
      const Shape shape = vector ? Shape{count} : Shape{count, source.columns};
      values.resize(static_cast<std::size_t>(shape.elements()));
      weights(*source.spec, source.first_row + row, Tensor(values.data(), DType::f32, shape));
      converted.resize(values.size() * size_of(options.dtype));
      convert_stored(std::as_bytes(std::span(values)), StoredType::f32, converted.data(),
                     options.dtype);
      writer.append(tensor.name, converted);
    }
  }
  writer.finish();
}

}  // namespace

OwnFiles model_files() {
  return {"config.json",
          "generation_config.json",
          "tokenizer.json",
          "tokenizer_config.json",
          "model.safetensors",
          "model-*-of-*.safetensors",
          "model.safetensors.index.json"};
}

void save_model(const std::string& directory, const ModelConfig& config,
                const WeightReader& weights, const SaveModelOptions& options) {
  if (options.dtype != DType::f32 && options.dtype != DType::bf16) {
    fail_input("a model is stored as f32 or bf16, not {}", name_of(options.dtype));
  }
  std::string tokenizer_config;
  if (!options.tokenizer_path.empty()) {
    tokenizer_config = tokenizer_config_json(options.tokenizer_path, config, options);
  }
  AtomicDirectory target =
      options.replace ? AtomicDirectory(directory, model_files()) : AtomicDirectory(directory);
  write_file_atomically(target.file("config.json"), config_json(config, options));
  write_file_atomically(target.file("generation_config.json"), generation_json(options));
  if (!options.tokenizer_path.empty()) {
    write_file_atomically(target.file("tokenizer.json"), MappedFile(options.tokenizer_path).text());
    write_file_atomically(target.file("tokenizer_config.json"), tokenizer_config);
  }
  write_weights(target.temporary(), parameter_table(config), weights, options);
  target.commit();
}

}  // namespace fathom
