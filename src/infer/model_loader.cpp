#include "infer/model_loader.h"

#include <algorithm>
#include <filesystem>

#include "checkpoint/model.h"
#include "checkpoint/ranks.h"
#include "comm/world_of_one.h"
#include "core/error.h"
#include "model/gguf.h"
#include "model/hugging_face.h"
#include "tokenizer/gguf_vocabulary.h"

namespace fathom::infer {
namespace {

namespace fs = std::filesystem;

// The model's own tokenizer: the one in its Hugging Face directory, in the checkpoint or in
// its run. A tokenizer elsewhere may be another model's.
std::string find_tokenizer(const std::string& path, const Checkpoint* checkpoint) {
  if (checkpoint) {
    if (const auto own = tokenizer_of(*checkpoint)) return *own;
  } else if (const std::string own = path + "/tokenizer.json"; fs::exists(own)) {
    return own;
  }
  fail_input("{}: there is no tokenizer.json {}: name one with --tokenizer", path,
             checkpoint ? "of this checkpoint or its run" : "in it");
}

std::vector<std::int32_t> end_tokens_of(const Tokenizer& tokenizer,
                                        const std::vector<std::int64_t>& from_files) {
  std::vector<std::int32_t> ids;
  for (const std::int64_t id : from_files) ids.push_back(static_cast<std::int32_t>(id));
  const auto eos = tokenizer.eos_id();
  if (eos && std::ranges::find(ids, *eos) == ids.end()) ids.push_back(*eos);
  return ids;
}

void check_vocabulary(const Tokenizer& tokenizer, const ModelConfig& config,
                      const std::string& path) {
  if (tokenizer.vocab_size() <= config.vocab_size) return;
  fail_input("{}: the tokenizer has {} tokens and the model {}: it is not this model's tokenizer",
             path, tokenizer.vocab_size(), config.vocab_size);
}

// A tokenizer, where it was read from, and where its chat template may be.
struct FoundTokenizer {
  Tokenizer tokenizer;
  std::string source, directory;
};

// A null `checkpoint` means that `path` is a Hugging Face directory.
FoundTokenizer load_tokenizer(const std::string& path, const Checkpoint* checkpoint,
                              const LoadOptions& options) {
  const std::string source =
      options.tokenizer.empty() ? find_tokenizer(path, checkpoint) : options.tokenizer;
  return {Tokenizer::load(source), source,
          checkpoint ? fs::absolute(source).parent_path().string() : path};
}

// Loads everything except the values of the weights that are not in place. `in_place` is left out
// where weights are to be copied.
LoadedModel prepare_model(FoundTokenizer found, const LoadOptions& options,
                          const ModelDescription& description, Device device,
                          WeightsInPlace in_place = {}) {
  LoadedModel model{found.directory, std::move(found.tokenizer), {}, nullptr, nullptr};
  check_vocabulary(model.tokenizer, description.config, found.source);
  model.end_tokens = end_tokens_of(model.tokenizer, description.eos_tokens);
  const ModelConfig& config = description.config;
  model.parameters = std::make_unique<ParameterStore>(
      stage_parameters(config, whole_model(config)), options.dtype.value_or(description.dtype),
      options.storage, device,
      options.file_weights == FileWeights::in_place ? std::move(in_place) : WeightsInPlace{});
  model.stage = std::make_unique<Stage>(config, whole_model(config), *model.parameters,
                                        StageOptions{}, device);
  return model;
}

WeightReader weights_of(const Checkpoint& checkpoint, Context& context) {
  return [&](const ParameterSpec& spec, std::int64_t first_row, Tensor rows) {
    std::vector<std::int64_t> offset(static_cast<std::size_t>(spec.shape.rank()), 0);
    offset.front() = first_row;
    checkpoint.load_slice(context, StateKind::weight, spec.name, offset, rows);
  };
}

LoadedModel load_checkpoint(const std::string& path, const Checkpoint& checkpoint,
                            const LoadOptions& options, Context& context) {
  ModelDescription description;
  description.config = model_of(checkpoint);
  require_model(checkpoint, description.config);
  for (const Checkpoint::Entry& entry : checkpoint.entries()) {
    if (entry.kind == StateKind::weight) description.dtype = entry.dtype;
  }
  LoadedModel model = prepare_model(load_tokenizer(path, &checkpoint, options), options,
                                    description, context.device);
  model.step = checkpoint.step();
  load_weights(weights_of(checkpoint, context), *model.parameters, context);
  return model;
}

LoadedModel load_directory(const std::string& path, const LoadOptions& options, Context& context) {
  // The tokenizer first: it is read quickly, and finds most mistakes.
  FoundTokenizer tokenizer = load_tokenizer(path, nullptr, options);
  const ModelDescription description = load_model_description(path);
  const auto weights = std::make_shared<const DirectoryWeights>(path);
  LoadedModel model =
      prepare_model(std::move(tokenizer), options, description, context.device, in_place(weights));
  load_weights(weights_of(*weights), *model.parameters, context);
  return model;
}

LoadedModel load_gguf(const std::string& path, const LoadOptions& options, Context& context) {
  const auto file = std::make_shared<const GgufFile>(path);
  const ModelDescription description = load_gguf_description(*file);
  FoundTokenizer found =
      options.tokenizer.empty()
          ? FoundTokenizer{read_gguf_tokenizer(*file), path, path}
          : FoundTokenizer{Tokenizer::load(options.tokenizer), options.tokenizer, path};
  const WeightReader weights = gguf_weights(*file, description.config);
  LoadedModel model =
      prepare_model(std::move(found), options, description, context.device, gguf_in_place(file));
  load_weights(weights, *model.parameters, context, gguf_blocks(*file));
  return model;
}

}  // namespace

LoadedModel load_model(const std::string& path, const LoadOptions& options, Context& context) {
  if (!fs::exists(path)) fail_input("{}: there is no such file or directory", path);
  if (options.storage == MatrixStorage::int8 && context.device.type != DeviceType::cpu) {
    fail_input("weights in 8 bits are for a CPU, not for {}", to_string(context.device));
  }
  if (is_model_directory(path)) return load_directory(path, options, context);
  if (is_gguf_file(path)) return load_gguf(path, options, context);
  std::optional<LoadedModel> model;
  const auto load = [&](const Checkpoint& checkpoint) {
    model.emplace(load_checkpoint(path, checkpoint, options, context));
  };
  if (!use_newest_checkpoint(path, *world_of_one(), load)) fail_no_checkpoint(path);
  return std::move(*model);
}

}  // namespace fathom::infer
