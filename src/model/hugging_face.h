// Model directories in Hugging Face's form: config.json, generation_config.json,
// model.safetensors (or shards with an index), tokenizer.json and
// tokenizer_config.json. What we write opens in transformers, vLLM and llama.cpp;
// Llama-style models that they write open here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/context.h"
#include "io/output_path.h"
#include "io/safetensors.h"
#include "model/config.h"
#include "model/parameters.h"

namespace fathom {

// What config.json and generation_config.json say.
struct ModelDescription {
  ModelConfig config;        // resolved
  DType dtype = DType::f32;  // the weights'; f16 counts as f32, which can hold it
  std::optional<std::int64_t> bos_token;
  std::vector<std::int64_t> eos_tokens;  // generation stops at any of them
};

// Reads config.json (as transformers 4 and 5 write it) and, when it is there,
// generation_config.json. Throws an input Error that names the file and the key
// when a key is missing, has the wrong type, or asks for what this model cannot
// do (hugging_face_support.h).
ModelDescription load_model_description(const std::string& directory);
ModelConfig load_model_config(const std::string& directory);

// The weights of a directory, of which every rank of a run reads its own slices alone. Files are
// mapped. Any thread may load.
class DirectoryWeights {
 public:
  // Throws an input Error that names tensor and file when one is missing, has another shape or
  // type than config.json says, or is none of this model's.
  explicit DirectoryWeights(const std::string& directory);

  const ModelConfig& config() const { return config_; }
  // Fills `into` (f32 or bf16, contiguous, on the CPU) with entries
  // [offset[i], offset[i] + into.shape[i]) of the parameter `name`. Returns the bytes read.
  std::uint64_t load_slice(std::string_view name, std::span<const std::int64_t> offset,
                           Tensor into) const;
  // The whole parameter in the files' pages; null where they hold it in parts that are not one
  // behind the other, or in another type than `dtype`.
  const std::byte* find_in_place(const ParameterSpec& spec, DType dtype) const;

 private:
  SafetensorsSet files_;
  ModelConfig config_;
  std::map<std::string, ParameterSpec, std::less<>> specs_;  // by name
};

// Fills the weights of `parameters` (all of the model's or some of them) from the
// directory's safetensors, f32, bf16 or f16 converted to the store's type. Errors: those of
// DirectoryWeights.
void load_weights(const std::string& directory, ParameterStore& parameters, Context& context);

// Gives `rows` (f32 or bf16 on the CPU, [count, columns] or [count]) the values of rows
// [first_row, first_row + count) of a parameter.
using WeightReader =
    std::function<void(const ParameterSpec& spec, std::int64_t first_row, Tensor rows)>;
// The Q8_0 blocks (io/gguf_blocks.h) of each row of a parameter; empty where it has others.
using BlockReader = std::function<std::vector<const std::byte*>(const ParameterSpec& spec)>;
// Fills the weights of a store that is not sharded, except those in place. Those in 8 bits are
// rounded to them, or taken from the blocks in which `blocks` finds them.
void load_weights(const WeightReader& weights, ParameterStore& parameters, Context& context,
                  const BlockReader& blocks = {});
// Reads from a store that holds the whole model; it and the context must outlive
// the reader.
WeightReader weights_of(const ParameterStore& parameters, Context& context);
// Reads from a directory's files, which must outlive the reader.
WeightReader weights_of(const DirectoryWeights& weights);
WeightsInPlace in_place(std::shared_ptr<const DirectoryWeights> weights);

// True when `directory` has a config.json: a Hugging Face model directory.
bool is_model_directory(const std::string& directory);

// Names of all files that save_model() writes.
OwnFiles model_files();

struct SaveModelOptions {
  DType dtype = DType::bf16;  // or f32
  std::uint64_t max_shard_bytes = 5'000'000'000;
  std::string tokenizer_path;  // tokenizer.json to copy; empty: none
  std::string tokenizer_json;  // its content; when given, tokenizer_path only names it in messages
  std::optional<std::int64_t> bos_token;
  std::vector<std::int64_t> eos_tokens;
  // Further files by name, such as chat_template.jinja; they replace those that would be made.
  std::map<std::string, std::string> other_files;
  bool replace = false;  // an existing directory of model_files(); otherwise it is refused
};

// The files of a model's directory. Those of its weights may be written by several writers, in
// any order, beside each other; the others follow.
class ModelFiles {
 public:
  // Throws an input Error when the type is no f32 or bf16, or the tokenizer has more tokens than
  // the model.
  ModelFiles(const ModelConfig& config, const SaveModelOptions& options);

  const std::vector<SafetensorsShard>& shards() const { return shards_; }
  void write_shard(const std::string& directory, std::size_t shard,
                   const WeightReader& weights) const;
  // The other files, which the commit of the AtomicDirectory that they are written in flushes.
  void write_others(const std::string& directory) const;

 private:
  // Where the rows of a stored tensor are in a parameter.
  struct Source {
    std::size_t parameter;
    std::int64_t first_row, rows, columns;
  };

  ModelConfig config_;
  SaveModelOptions options_;
  std::vector<ParameterSpec> table_;
  std::map<std::string, Source> sources_;  // by the stored tensor's name
  std::vector<SafetensorsShard> shards_;
  std::string tokenizer_config_;
};

// Writes the whole directory, atomically: it is complete or not there. Throws an
// input Error when `directory` exists (unless replaced) or the tokenizer has more
// tokens than the model.
void save_model(const std::string& directory, const ModelConfig& config,
                const WeightReader& weights, const SaveModelOptions& options);

}  // namespace fathom
