// The conversions of `fathom convert` from and to GGUF files.
#include <algorithm>
#include <filesystem>

#include "align/chat_files.h"
#include "checkpoint/export.h"
#include "checkpoint/model.h"
#include "checkpoint/ranks.h"
#include "cli/convert_options.h"
#include "comm/world_of_one.h"
#include "core/error.h"
#include "core/log.h"
#include "model/gguf.h"
#include "tokenizer/gguf_vocabulary.h"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

// A model to be written: its config, its tokenizer and where its chat template is.
struct Source {
  ModelDescription model;
  std::optional<Tokenizer> tokenizer;
  std::string chat_directory;  // or GGUF file; empty: none
};

GgufType gguf_type(const std::string& name) {
  if (name == "f32") return GgufType::f32;
  if (name == "f16") return GgufType::f16;
  return name == "q8_0" ? GgufType::q8_0 : GgufType::bf16;
}

// The name of the model: that of its directory or file.
std::string name_of_model(const std::string& from) {
  const fs::path path = fs::absolute(from).lexically_normal();
  return path.has_filename() ? path.stem().string() : path.parent_path().filename().string();
}

void set_tokenizer(Source& source, const std::string& path) {
  if (path.empty()) {
    log::warning("there is no tokenizer.json beside the model; name it with --tokenizer");
    return;
  }
  source.tokenizer = Tokenizer::load(path);
  source.chat_directory = directory_of(path);
}

// Given ids go before the model's, those before the tokenizer's.
GgufTokens tokens_of(const Source& source, const ConvertOptions& options) {
  GgufTokens tokens;
  tokens.vocab_size = source.model.config.vocab_size;
  tokens.bos = options.bos ? options.bos : source.model.bos_token;
  tokens.eos = options.eos;
  if (!tokens.eos && !source.model.eos_tokens.empty()) tokens.eos = source.model.eos_tokens[0];
  if (!tokens.bos) tokens.bos = source.tokenizer->bos_id();
  if (!tokens.eos) tokens.eos = source.tokenizer->eos_id();
  return tokens;
}

GgufMetadata tokenizer_keys(const Source& source, const ConvertOptions& options) {
  GgufVocabulary vocabulary = write_gguf_tokenizer(*source.tokenizer, tokens_of(source, options));
  if (!vocabulary.note.empty()) log::warning("{}", vocabulary.note);
  if (const auto text = default_chat_template(source.chat_directory)) {
    vocabulary.keys.add_text("tokenizer.chat_template", *text);
  }
  return vocabulary.keys;
}

void write(const ConvertOptions& options, const Source& source, const WeightReader& weights) {
  check_token("--bos-token", options.bos, source.model.config);
  check_token("--eos-token", options.eos, source.model.config);
  SaveGgufOptions save;
  save.type = gguf_type(options.dtype);
  save.name = name_of_model(options.from);
  if (source.tokenizer) save.more = tokenizer_keys(source, options);
  save_gguf(options.to, source.model.config, weights, save);
  log::info("{}: the model of {} as {}", options.to, options.from, options.dtype);
}

void write_directory(const ConvertOptions& options) {
  Source source;
  source.model = load_model_description(options.from);
  const std::string own = options.from + "/tokenizer.json";
  set_tokenizer(source, !options.tokenizer.empty() ? options.tokenizer
                        : fs::exists(own)          ? own
                                                   : "");
  // The model's template, also with another tokenizer.
  source.chat_directory = options.from;
  const DirectoryWeights weights(options.from);
  write(options, source, weights_of(weights));
}

void write_checkpoint_model(const ConvertOptions& options, const Checkpoint& checkpoint) {
  Source source;
  source.model.config = model_of(checkpoint);
  require_model(checkpoint, source.model.config);
  set_tokenizer(source, !options.tokenizer.empty() ? options.tokenizer
                                                   : tokenizer_of(checkpoint).value_or(""));
  const auto world = world_of_one();
  write(options, source, weights_in(checkpoint, *world));
}

Source open_gguf(const GgufFile& file, const ConvertOptions& options) {
  Source source;
  source.model = load_gguf_description(file);
  source.tokenizer =
      options.tokenizer.empty() ? read_gguf_tokenizer(file) : Tokenizer::load(options.tokenizer);
  source.chat_directory = file.path();
  return source;
}

}  // namespace

void convert_to_gguf(const ConvertOptions& options) {
  // A FIFO or a device is written into.
  if (fs::is_regular_file(options.to)) {
    fail_input("{}: exists already; remove it or name another file", options.to);
  }
  if (is_model_directory(options.from)) return write_directory(options);
  if (is_gguf_file(options.from)) {
    const GgufFile file(options.from);
    const Source source = open_gguf(file, options);
    return write(options, source, gguf_weights(file, source.model.config));
  }
  const auto convert = [&](const Checkpoint& checkpoint) {
    write_checkpoint_model(options, checkpoint);
  };
  if (!use_newest_checkpoint(options.from, *world_of_one(), convert)) {
    fail_no_checkpoint(options.from);
  }
}

void convert_from_gguf(const ConvertOptions& options) {
  const GgufFile file(options.from);
  const Source source = open_gguf(file, options);
  check_token("--bos-token", options.bos, source.model.config);
  check_token("--eos-token", options.eos, source.model.config);
  SaveModelOptions save;
  save.dtype = options.dtype == "f32" ? DType::f32 : DType::bf16;
  save.max_shard_bytes = options.max_shard_bytes;
  save.tokenizer_path = options.tokenizer.empty() ? options.from : options.tokenizer;
  save.tokenizer_json = source.tokenizer->to_json();
  save.bos_token = options.bos ? options.bos : source.model.bos_token;
  save.eos_tokens = options.eos ? std::vector{*options.eos} : source.model.eos_tokens;
  save.other_files = read_chat_files(options.from);
  save_model(options.to, source.model.config, gguf_weights(file, source.model.config), save);
  log::info("{}: the model of {} as {}", options.to, options.from, options.dtype);
}

}  // namespace fathom::cli
