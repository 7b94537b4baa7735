#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/safetensors.h"
#include "io/safetensors_header.h"

namespace fathom {

namespace {

std::vector<TensorSpec> in_library_order(std::vector<TensorSpec> tensors, const std::string& path) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorSpec& a, const TensorSpec& b) {
    return a.type != b.type ? a.type > b.type : a.name < b.name;
  });
  std::vector<std::string_view> names;
  for (const TensorSpec& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  require(twice == names.end(), "{}: tensor '{}' is declared twice", path,
          twice == names.end() ? "" : *twice);
  return tensors;
}

}  // namespace

struct SafetensorsWriter::State {
  State(const std::string& file_path, std::vector<TensorSpec> specs,
        const SafetensorsMetadata& metadata, Flush when)
      : path(file_path), tensors(in_library_order(std::move(specs), path)), file(path, when) {
    const std::string header = write_safetensors_header(tensors, metadata);
    const std::uint64_t length = header.size();
    write(std::as_bytes(std::span(&length, 1)));
    write(std::as_bytes(std::span(header)));
    skip_finished();
  }

  void write(std::span<const std::byte> bytes) {
    file.write(bytes);
    checksum.update(bytes);
  }

  // Advances to the next tensor that still needs bytes.
  void skip_finished() {
    while (current < tensors.size() && written == tensors[current].bytes()) {
      ++current;
      written = 0;
    }
  }

  std::string path;
  std::vector<TensorSpec> tensors;
  AtomicFile file;
  Checksum checksum;
  std::size_t current = 0;    // the tensor whose bytes come next
  std::uint64_t written = 0;  // bytes of it written so far
};

SafetensorsWriter::SafetensorsWriter(const std::string& path, std::vector<TensorSpec> tensors,
                                     const SafetensorsMetadata& metadata, Flush when)
    : state_(std::make_unique<State>(path, std::move(tensors), metadata, when)) {}
SafetensorsWriter::~SafetensorsWriter() = default;
SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&&) noexcept = default;

const std::vector<TensorSpec>& SafetensorsWriter::tensors() const {
  return state_->tensors;
}

void SafetensorsWriter::append(std::string_view name, std::span<const std::byte> bytes) {
  State& s = *state_;
  if (bytes.empty()) return;
  require(s.current < s.tensors.size(), "{}: bytes of '{}' after the last tensor", s.path, name);
  const TensorSpec& due = s.tensors[s.current];
  require(due.name == name, "{}: tensor '{}' is due, not '{}'", s.path, due.name, name);
  require(bytes.size() <= due.bytes() - s.written, "{}: more bytes for '{}' than its {}", s.path,
          name, due.bytes());
  s.write(bytes);
  s.written += bytes.size();
  s.skip_finished();
}

std::uint64_t SafetensorsWriter::finish() {
  State& s = *state_;
  require(s.current == s.tensors.size(), "{}: tensor '{}' is not complete", s.path,
          s.current < s.tensors.size() ? s.tensors[s.current].name : "");
  s.file.commit();
  return s.checksum.value();
}

std::vector<SafetensorsShard> plan_shards(const std::vector<TensorSpec>& tensors,
                                          std::uint64_t max_shard_bytes) {
  std::vector<SafetensorsShard> shards(1);
  std::unordered_set<std::string> names;
  for (const TensorSpec& tensor : tensors) {
    require(names.insert(tensor.name).second, "a model's tensor '{}' is declared twice",
            tensor.name);
    if (!shards.back().tensors.empty() && shards.back().bytes + tensor.bytes() > max_shard_bytes) {
      shards.emplace_back();
    }
    shards.back().bytes += tensor.bytes();
    shards.back().tensors.push_back(tensor);
  }
  for (std::size_t i = 0; i < shards.size(); ++i) {
    SafetensorsShard& shard = shards[i];
    shard.file = shards.size() == 1
                     ? "model.safetensors"
                     : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    shard.tensors = in_library_order(std::move(shard.tensors), shard.file);
  }
  return shards;
}

void write_shard_index(const std::string& directory, const std::vector<SafetensorsShard>& shards) {
  if (shards.size() == 1) return;
  nlohmann::json index;
  std::uint64_t total = 0;
  for (const SafetensorsShard& shard : shards) {
    total += shard.bytes;
    for (const TensorSpec& tensor : shard.tensors) index["weight_map"][tensor.name] = shard.file;
  }
  index["metadata"]["total_size"] = total;
  write_file_atomically(directory + "/model.safetensors.index.json", index.dump(2) + "\n",
                        Flush::by_directory);
}

}  // namespace fathom
