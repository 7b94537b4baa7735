// fathom convert: converts checkpoints to Hugging Face model directories and back, and both to and
// from GGUF files.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "align/chat_files.h"
#include "checkpoint/export.h"
#include "checkpoint/model.h"
#include "checkpoint/ranks.h"
#include "checkpoint/writer.h"
#include "cli/commands.h"
#include "cli/convert_options.h"
#include "comm/world_of_one.h"
#include "core/config.h"
#include "core/error.h"
#include "core/log.h"
#include "io/gguf.h"
#include "io/mapped_file.h"
#include "model/hugging_face.h"

namespace fathom::cli {

void check_token(const char* option, std::optional<std::int64_t> id, const ModelConfig& config) {
  if (!id || (*id >= 0 && *id < config.vocab_size)) return;
  fail_input("{} is {}: the model's tokens are 0 to {}", option, *id, config.vocab_size - 1);
}

std::string directory_of(const std::string& tokenizer) {
  if (tokenizer.empty()) return "";
  const std::filesystem::path directory = std::filesystem::path(tokenizer).parent_path();
  return directory.empty() ? "." : directory.string();
}

namespace {

namespace fs = std::filesystem;

void to_hugging_face(const ConvertOptions& options, const Checkpoint& checkpoint) {
  const ModelConfig config = model_of(checkpoint);
  check_token("--bos-token", options.bos, config);
  check_token("--eos-token", options.eos, config);
  require_model(checkpoint, config);
  SaveModelOptions save;
  save.dtype = options.dtype == "f32" ? DType::f32 : DType::bf16;
  save.max_shard_bytes = options.max_shard_bytes;
  save.tokenizer_path =
      options.tokenizer.empty() ? tokenizer_of(checkpoint).value_or("") : options.tokenizer;
  save.bos_token = options.bos;
  if (options.eos) save.eos_tokens = {*options.eos};
  save.other_files = read_chat_files(directory_of(save.tokenizer_path));
  // The given tokens are the model's.
  if (options.bos || options.eos) save.other_files.erase("generation_config.json");
  if (save.tokenizer_path.empty()) {
    log::warning("there is no tokenizer.json beside the checkpoint; name it with --tokenizer");
  }
  export_model(checkpoint, options.to, config, save, *world_of_one());
  log::info("{}: the model of step {} as {}", options.to, checkpoint.step(), options.dtype);
}

void to_checkpoint(const ConvertOptions& options) {
  ModelDescription model = load_model_description(options.from);
  Context context(cpu_device);
  ParameterStore store(parameter_table(model.config), DType::f32, Gradients::none, cpu_device);
  load_weights(options.from, store, context);
  std::vector<CheckpointTensor> tensors;
  for (const Parameter& parameter : store.all()) {
    tensors.push_back(
        CheckpointTensor::whole(StateKind::weight, parameter.spec.name, parameter.weight));
  }
  TrainingState state;
  state.config_toml = "[model]\n" + config_to_toml(model.config);
  std::vector<std::pair<std::string, std::string>> files;
  const std::string tokenizer =
      options.tokenizer.empty() ? options.from + "/tokenizer.json" : options.tokenizer;
  if (!options.tokenizer.empty() || fs::exists(tokenizer)) {
    files.emplace_back("tokenizer.json", std::string(MappedFile(tokenizer).text()));
  }
  for (const auto& file : read_chat_files(options.from)) files.push_back(file);
  write_checkpoint(options.to, tensors, state, files);
  log::info("{0}: a checkpoint of step 0; train from it with --set init_from={0}", options.to);
}

enum class OutputFormat { hugging_face, checkpoint, gguf };

// Options that the output has no use for.
void refuse_options(const CLI::App& command, const ConvertOptions& options, OutputFormat output) {
  const auto refuse = [&](std::initializer_list<const char*> names, const char* why) {
    for (const char* option : names) {
      if (command.count(option) > 0) fail_input("{} {}: leave it out", option, why);
    }
  };
  switch (output) {
    case OutputFormat::checkpoint:
      // It holds the weights in f32, in one file per kind, and no end token.
      refuse({"--dtype", "--max-shard-size", "--bos-token", "--eos-token"},
             "applies to a Hugging Face directory or a GGUF file, and this command makes a "
             "checkpoint");
      return;
    case OutputFormat::gguf:
      refuse({"--max-shard-size"}, "applies to a Hugging Face directory, not to a GGUF file");
      return;
    case OutputFormat::hugging_face:
      if (options.dtype == "bf16" || options.dtype == "f32") return;
      fail_input("--dtype {} applies to a GGUF file: name the output .gguf, or use bf16 or f32",
                 options.dtype);
  }
}

OutputFormat output_of(const ConvertOptions& options) {
  if (options.to.ends_with(".gguf")) return OutputFormat::gguf;
  return is_model_directory(options.from) ? OutputFormat::checkpoint : OutputFormat::hugging_face;
}

void convert(const ConvertOptions& options) {
  if (options.to.ends_with(".gguf")) return convert_to_gguf(options);
  if (is_model_directory(options.from)) return to_checkpoint(options);
  if (is_gguf_file(options.from)) return convert_from_gguf(options);
  const auto write = [&](const Checkpoint& checkpoint) { to_hugging_face(options, checkpoint); };
  if (!use_newest_checkpoint(options.from, *world_of_one(), write)) {
    fail_no_checkpoint(options.from);
  }
}

}  // namespace

void add_convert(CLI::App& app) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand(
      "convert",
      "Convert a checkpoint to a Hugging Face model directory or back, or to or from GGUF");
  command
      ->add_option("from", options->from,
                   "A checkpoint, a run's directory (its newest checkpoint), a Hugging Face model "
                   "directory, or a GGUF file")
      ->type_name("PATH")
      ->required();
  command
      ->add_option("to", options->to,
                   "The directory to make, or a GGUF file (NAME.gguf); must not exist")
      ->type_name("PATH")
      ->required();
  command->add_option("--dtype", options->dtype, "Type of the weights; f16 and q8_0 are for GGUF")
      ->check(CLI::IsMember({"bf16", "f32", "f16", "q8_0"}))
      ->capture_default_str();
  command
      ->add_option("--max-shard-size", options->max_shard_bytes,
                   "Largest safetensors file, such as 2GB")
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--tokenizer", options->tokenizer,
                   "tokenizer.json to put beside the weights; default: the model's")
      ->type_name("FILE");
  command->add_option("--bos-token", options->bos, "Id of the token that begins a text");
  command->add_option("--eos-token", options->eos, "Id of the token that ends a text");
  command->footer(
      "Example: fathom convert runs/tiny my-model --dtype bf16\n"
      "  fathom convert my-model my-model.gguf --dtype q8_0");
  command->callback([options, command] {
    refuse_options(*command, *options, output_of(*options));
    convert(*options);
  });
}

}  // namespace fathom::cli
