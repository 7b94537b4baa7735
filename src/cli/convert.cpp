// fathom convert: converts checkpoints to Hugging Face model directories and back.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "align/chat_files.h"
#include "checkpoint/export.h"
#include "checkpoint/model.h"
#include "checkpoint/ranks.h"
#include "checkpoint/writer.h"
#include "cli/commands.h"
#include "comm/world_of_one.h"
#include "core/config.h"
#include "core/error.h"
#include "core/log.h"
#include "io/mapped_file.h"
#include "model/hugging_face.h"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string from, to, dtype = "bf16", tokenizer;
  std::uint64_t max_shard_bytes = 5'000'000'000;
  std::optional<std::int64_t> bos, eos;
};

void check_token(const char* option, std::optional<std::int64_t> id, const ModelConfig& config) {
  if (!id || (*id >= 0 && *id < config.vocab_size)) return;
  fail_input("{} is {}: the model's tokens are 0 to {}", option, *id, config.vocab_size - 1);
}

// Chat templates and the like are beside the tokenizer.
std::string directory_of(const std::string& tokenizer) {
  if (tokenizer.empty()) return "";
  const fs::path directory = fs::path(tokenizer).parent_path();
  return directory.empty() ? "." : directory.string();
}

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

// A checkpoint holds the weights in f32, in one file per kind, and no end token.
void refuse_hugging_face_options(const CLI::App& command) {
  for (const char* option : {"--dtype", "--max-shard-size", "--bos-token", "--eos-token"}) {
    if (command.count(option) == 0) continue;
    fail_input(
        "{} applies to a Hugging Face directory, and this command makes a checkpoint: leave it "
        "out",
        option);
  }
}

}  // namespace

void add_convert(CLI::App& app) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand(
      "convert", "Convert a checkpoint to a Hugging Face model directory, or back");
  command
      ->add_option("from", options->from,
                   "A checkpoint, a run's directory (its newest checkpoint), or a Hugging Face "
                   "model directory")
      ->required();
  command->add_option("to", options->to, "The directory to make; must not exist")->required();
  command->add_option("--dtype", options->dtype, "Type of the Hugging Face weights")
      ->check(CLI::IsMember({"bf16", "f32"}))
      ->capture_default_str();
  command
      ->add_option("--max-shard-size", options->max_shard_bytes,
                   "Largest safetensors file, such as 2GB")
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--tokenizer", options->tokenizer,
                      "tokenizer.json to put beside the weights; default: the run's");
  command->add_option("--bos-token", options->bos, "Id of the token that begins a text");
  command->add_option("--eos-token", options->eos, "Id of the token that ends a text");
  command->footer("Example: fathom convert runs/tiny my-model --dtype bf16");
  command->callback([options, command] {
    if (is_model_directory(options->from)) {
      refuse_hugging_face_options(*command);
      to_checkpoint(*options);
      return;
    }
    const auto convert = [&](const Checkpoint& checkpoint) {
      to_hugging_face(*options, checkpoint);
    };
    if (!use_newest_checkpoint(options->from, *world_of_one(), convert))
      fail_no_checkpoint(options->from);
  });
}

}  // namespace fathom::cli
