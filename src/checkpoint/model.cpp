#include "checkpoint/model.h"

#include <algorithm>
#include <filesystem>

#include "core/config.h"
#include "core/error.h"
#include "model/parameters.h"

namespace fathom {
namespace {

// The keys and values of [model] that weights depend on.
std::vector<std::pair<std::string, std::string>> meaning_of(ModelConfig model) {
  std::vector<std::pair<std::string, std::string>> keys;
  visit_fields(model, [&](std::string_view key, const auto& value, std::string_view) {
    if (key == "init_std" || key == "max_position") return;
    keys.emplace_back(key, fmt::format("{}", value));
  });
  return keys;
}

}  // namespace

ModelConfig model_of(const Checkpoint& checkpoint) {
  const std::string source = checkpoint.directory() + "/state.json (config)";
  const auto table = ConfigTable::parse(checkpoint.state().config_toml, source).table("model");
  if (!table) fail_input("{}: there is no [model] table: the checkpoint is not a run's", source);
  ModelConfig config;
  read_config(*table, config);
  return resolve(config);
}

ModelConfig model_at(const std::string& path) {
  std::string damage;
  for (const std::string& directory : checkpoints_at(path)) {
    try {
      return model_of(Checkpoint(directory, Checkpoint::Verify::as_read));
    } catch (const DamagedCheckpoint& error) {
      damage = error.what();
    }
  }
  if (damage.empty()) fail_no_checkpoint(path);
  fail_input("{}", damage);
}

void require_same_model(const ModelConfig& saved, const ModelConfig& wanted,
                        const std::string& path) {
  const auto there = meaning_of(saved), here = meaning_of(wanted);
  for (std::size_t i = 0; i < there.size(); ++i) {
    if (there[i] == here[i]) continue;
    fail_input("{}: its model.{} is {}, the config's {}: restore the [model] it was made with",
               path, there[i].first, there[i].second, here[i].second);
  }
}

void require_model(const Checkpoint& checkpoint, const ModelConfig& model) {
  require_same_model(model_of(checkpoint), model, checkpoint.directory());
  const std::vector<ParameterSpec> table = parameter_table(model);
  for (const ParameterSpec& spec : table) {
    const Checkpoint::Entry* entry = checkpoint.find(StateKind::weight, spec.name);
    if (entry && entry->shape == spec.shape) continue;
    fail_input("{}: has no weight '{}' with the shape {}", checkpoint.directory(), spec.name,
               to_string(spec.shape));
  }
  for (const Checkpoint::Entry& entry : checkpoint.entries()) {
    const auto has_name = [&](const ParameterSpec& spec) { return spec.name == entry.name; };
    if (std::ranges::any_of(table, has_name)) continue;
    fail_input("{}: holds '{}', which its model has not: is it damaged?", checkpoint.directory(),
               entry.name);
  }
}

std::optional<std::string> tokenizer_of(const Checkpoint& checkpoint) {
  namespace fs = std::filesystem;
  // The path as it was given, then without links: a checkpoint may be reached by a link
  // from elsewhere, and checkpoints/ may itself be one to another disk.
  const fs::path given = fs::absolute(checkpoint.directory() + "/").lexically_normal();
  for (const fs::path& path : {given, fs::canonical(given) / ""}) {
    const fs::path directory = path.parent_path(), checkpoints = directory.parent_path();
    if (fs::exists(directory / "tokenizer.json")) return (directory / "tokenizer.json").string();
    if (checkpoints.filename() != "checkpoints") continue;
    const fs::path of_run = checkpoints.parent_path() / "tokenizer.json";
    if (fs::exists(of_run)) return of_run.string();
  }
  return std::nullopt;
}

}  // namespace fathom
