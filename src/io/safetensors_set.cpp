#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "io/json_value.h"
#include "io/safetensors.h"

namespace fathom {

namespace {

constexpr const char* single_file = "model.safetensors";
constexpr const char* index_file = "model.safetensors.index.json";

// Reads the index: the shard file of each tensor name.
std::map<std::string, std::string> read_weight_map(const std::string& path) {
  const JsonValue json = JsonValue::load(path);
  const auto weights = json.is_object() ? json.find("weight_map") : std::nullopt;
  if (!weights || !weights->is_object()) {
    fail_input("{}: has no object 'weight_map', so it is not a safetensors index", path);
  }
  std::map<std::string, std::string> map;
  for (const std::string& name : weights->keys()) {
    const JsonValue shard = weights->at(name);
    if (!shard.is_text()) fail_input("{}: the shard of tensor '{}' is not a file name", path, name);
    const std::string& file_name = shard.text();
    if (file_name.empty() || file_name == ".." || file_name.find('/') != std::string::npos) {
      fail_input("{}: the shard of tensor '{}' is '{}', which is not a file beside the index", path,
                 name, file_name);
    }
    map.emplace(name, file_name);
  }
  return map;
}

}  // namespace

SafetensorsSet::SafetensorsSet(const std::string& path) : path_(path) {
  namespace fs = std::filesystem;
  const fs::path directory(path);
  std::error_code error;
  if (!fs::is_directory(directory, error)) {
    files_.push_back(std::make_unique<SafetensorsFile>(path));
  } else if (fs::exists(directory / single_file, error)) {
    files_.push_back(std::make_unique<SafetensorsFile>((directory / single_file).string()));
  } else if (fs::exists(directory / index_file, error)) {
    open_index((directory / index_file).string());
  } else {
    fail_input("{}: holds neither {} nor {}", path, single_file, index_file);
  }
  if (tensors_.empty()) {  // a single file: all its tensors
    for (const StoredTensor& tensor : files_[0]->tensors()) tensors_.emplace(tensor.name, &tensor);
  }
  for (const auto& [name, tensor] : tensors_) names_.push_back(name);
  std::sort(names_.begin(), names_.end());
}

void SafetensorsSet::open_index(const std::string& index_path) {
  const auto weight_map = read_weight_map(index_path);
  if (weight_map.empty()) fail_input("{}: lists no tensors", index_path);
  std::map<std::string, const SafetensorsFile*> open;
  for (const auto& [name, shard] : weight_map) {
    const SafetensorsFile*& file = open[shard];
    if (!file) {
      const auto shard_path = std::filesystem::path(index_path).parent_path() / shard;
      files_.push_back(std::make_unique<SafetensorsFile>(shard_path.string()));
      file = files_.back().get();
    }
    const StoredTensor* tensor = file->find(name);
    if (!tensor) {
      fail_input("{}: tensor '{}' should be in {}, but is not", index_path, name, file->path());
    }
    tensors_.emplace(name, tensor);
  }
}

const StoredTensor* SafetensorsSet::find(std::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  return found == tensors_.end() ? nullptr : found->second;
}

const StoredTensor& SafetensorsSet::at(std::string_view name) const {
  const StoredTensor* tensor = find(name);
  if (!tensor) fail_input("{}: holds no tensor '{}'", path_, name);
  return *tensor;
}

const SafetensorsMetadata& SafetensorsSet::metadata() const {
  return files_[0]->metadata();
}

}  // namespace fathom
