#include "infer/model_loader.h"

#include <algorithm>
#include <filesystem>

#include "checkpoint/model.h"
#include "core/error.h"
#include "model/hugging_face.h"

namespace fathom::infer {
namespace {

namespace fs = std::filesystem;

// The model's own tokenizer: of its Hugging Face directory, or of the checkpoint and its
// run. One of another directory may be another model's.
std::string find_tokenizer(const std::string& path, const std::optional<Checkpoint>& checkpoint) {
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

std::unique_ptr<ParameterStore> make_store(const ModelConfig& config, DType dtype, Device device) {
  return std::make_unique<ParameterStore>(stage_parameters(config, whole_model(config)), dtype,
                                          Gradients::none, device);
}

void check_vocabulary(const Tokenizer& tokenizer, const ModelConfig& config,
                      const std::string& path) {
  if (tokenizer.vocab_size() <= config.vocab_size) return;
  fail_input("{}: the tokenizer has {} tokens and the model {}: it is not this model's tokenizer",
             path, tokenizer.vocab_size(), config.vocab_size);
}

}  // namespace

LoadedModel load_model(const std::string& path, const LoadOptions& options, Context& context) {
  if (!fs::exists(path)) fail_input("{}: there is no such file or directory", path);
  // The tokenizer first: it is read quickly, and most mistakes show there.
  const bool hugging_face = is_model_directory(path);
  ModelDescription description;
  std::optional<Checkpoint> checkpoint;
  if (hugging_face) {
    description = load_model_description(path);
  } else {
    checkpoint.emplace(open_checkpoint(path));
    description.config = model_of(*checkpoint);
    require_model(*checkpoint, description.config);
    for (const Checkpoint::Entry& entry : checkpoint->entries()) {
      if (entry.kind == StateKind::weight) description.dtype = entry.dtype;
    }
  }
  const std::string tokenizer_path =
      options.tokenizer.empty() ? find_tokenizer(path, checkpoint) : options.tokenizer;
  LoadedModel model{Tokenizer::load(tokenizer_path), {}, nullptr, nullptr};
  check_vocabulary(model.tokenizer, description.config, tokenizer_path);
  model.end_tokens = end_tokens_of(model.tokenizer, description.eos_tokens);

  const ModelConfig& config = description.config;
  model.parameters = make_store(config, options.dtype.value_or(description.dtype), context.device);
  if (hugging_face) {
    load_weights(path, *model.parameters, context);
  } else {
    for (Parameter& parameter : model.parameters->all()) {
      checkpoint->load(context, StateKind::weight, parameter.spec.name, parameter.weight);
    }
  }
  model.stage = std::make_unique<Stage>(config, whole_model(config), *model.parameters,
                                        StageOptions{}, context.device);
  return model;
}

}  // namespace fathom::infer
