#include "train/config.h"

#include <filesystem>

#include "checkpoint/model.h"
#include "core/error.h"
#include "model/hugging_face.h"

namespace fathom {
namespace {

struct ModelFile {
  ModelConfig model;
};
template <class Visitor>
void visit_fields(ModelFile& c, Visitor&& field) {
  field("model", c.model, "");
}

std::string find_beside(const std::string& file, const std::string& config_path) {
  namespace fs = std::filesystem;
  const fs::path beside = fs::path(config_path).parent_path() / file;
  return fs::exists(beside) ? beside.string() : file;
}

// The model that a run with `init_from` or `continue_from` begins or goes on with.
ModelConfig model_to_start(const ConfigTable& table, const TrainConfig& config,
                           const std::string& resume) {
  if (resume == "auto") {
    std::string output = config.output;
    table.get("output", output);
    const std::string own = output + "/checkpoints";
    if (!checkpoints_at(own).empty()) return model_at(own);
  } else if (resume != "none") {
    return model_at(resume);
  }
  if (!config.continue_from.empty()) return model_at(named_checkpoint(config.continue_from));
  return model_to_begin_with(config.init_from);
}

}  // namespace

ModelConfig model_to_begin_with(const std::string& path) {
  return is_model_directory(path) ? load_model_config(path) : model_at(path);
}

TrainConfig load_train_config(const std::string& path, std::span<const std::string> overrides,
                              const std::string& resume) {
  const ConfigTable table = ConfigTable::load(path, overrides);
  TrainConfig config;
  if (table.get("model_file", config.model_file) && !config.model_file.empty()) {
    ModelFile file;
    read_config(ConfigTable::load(find_beside(config.model_file, path)), file);
    config.model = file.model;
  }
  table.get("init_from", config.init_from);
  table.get("continue_from", config.continue_from);
  if (!config.init_from.empty() || !config.continue_from.empty()) {
    config.model = model_to_start(table, config, resume);
  }
  read_config(table, config);
  while (config.output.size() > 1 && config.output.ends_with('/')) config.output.pop_back();
  config.model_file.clear();
  return config;
}

}  // namespace fathom
