#include "checkpoint/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>

#include "checkpoint/retention.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "io/checksum.h"
#include "io/safetensors.h"

namespace fathom {
namespace {

// A slice's name inside its file: the tensor's name and, unless the slice is the whole tensor,
// where it begins.
std::string key_of(const CheckpointTensor& tensor) {
  if (tensor.values.shape == tensor.global_shape) return tensor.name;
  return fmt::format("{}@{}", tensor.name, fmt::join(tensor.offset, ","));
}

std::vector<std::int64_t> dims_of(const Shape& shape) {
  return {shape.dims().begin(), shape.dims().end()};
}

// `rank` negative: the only one.
std::string file_of(StateKind kind, int rank) {
  if (rank < 0) return fmt::format("{}.safetensors", name_of(kind));
  return fmt::format("{}.{:05}.safetensors", name_of(kind), rank);
}

// The tensors of the manifest, one entry for all slices of a name.
std::vector<ManifestTensor> manifest_tensors(std::span<const CheckpointTensor> tensors, int rank) {
  std::vector<ManifestTensor> out;
  std::map<std::pair<StateKind, std::string>, std::size_t> index;
  for (const CheckpointTensor& tensor : tensors) {
    const auto [found, fresh] = index.emplace(std::pair(tensor.kind, tensor.name), out.size());
    if (fresh) {
      out.push_back({tensor.kind, tensor.name, tensor.values.dtype, tensor.global_shape, {}});
    }
    const ManifestTensor& same = out[found->second];
    require(same.dtype == tensor.values.dtype && same.shape == tensor.global_shape,
            "the slices of '{}' differ in type or global shape", tensor.name);
    out[found->second].slices.push_back({tensor.offset,
                                         dims_of(tensor.values.shape),
                                         file_of(tensor.kind, rank),
                                         key_of(tensor),
                                         {}});
  }
  return out;
}

// Writes all tensors of one kind to their file, and notes it and the slices' checksums in the
// manifest.
void write_kind(const std::string& directory, std::span<const CheckpointTensor> tensors,
                StateKind kind, int rank, WriteRate& rate, CheckpointManifest& manifest) {
  std::vector<TensorSpec> specs;
  std::map<std::string, const CheckpointTensor*> by_key;
  for (const CheckpointTensor& tensor : tensors) {
    if (tensor.kind != kind) continue;
    specs.push_back(
        {key_of(tensor), stored_type_of(tensor.values.dtype), dims_of(tensor.values.shape)});
    by_key[specs.back().name] = &tensor;
  }
  const std::string path = directory + "/" + file_of(kind, rank);
  // Ranks may be on other machines, whose files the one that commits the directory cannot flush.
  const Flush when = rank < 0 ? Flush::by_directory : Flush::at_commit;
  SafetensorsWriter writer(path, std::move(specs), {}, when);
  const std::vector<TensorSpec> order = writer.tensors();
  std::map<std::string, std::vector<std::uint64_t>> blocks;  // by key
  for (const TensorSpec& spec : order) {
    const Tensor& values = by_key.at(spec.name)->values;
    std::span<const std::byte> rest(static_cast<const std::byte*>(values.data), values.bytes());
    while (!rest.empty()) {
      const auto block = rest.first(std::min<std::size_t>(slice_block_bytes, rest.size()));
      writer.append(spec.name, block);
      blocks[spec.name].push_back(checksum_of(block));
      rate.wrote(block.size());
      rest = rest.subspan(block.size());
    }
  }
  const std::uint64_t checksum = writer.finish();
  for (ManifestTensor& tensor : manifest.tensors) {
    if (tensor.kind != kind) continue;
    for (ManifestSlice& slice : tensor.slices) slice.checksums = std::move(blocks[slice.key]);
  }
  manifest.files.push_back({file_of(kind, rank), std::filesystem::file_size(path), checksum});
}

ManifestFile write_text(const std::string& directory, const std::string& name,
                        std::string_view text) {
  const std::string path = directory + "/" + name;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_file_atomically(path, text, Flush::by_directory);
  return {name, text.size(), checksum_of(text)};
}

}  // namespace

OwnFiles checkpoint_files() {
  return {CheckpointManifest::file_name, CheckpointManifest::state_file_name, keep_file_name,
          "tokenizer.json", "*.safetensors",
          // What convert and fine-tuning keep of the model that the weights come from.
          "chat_template.jinja", "additional_chat_templates/*.jinja", "tokenizer_config.json",
          "special_tokens_map.json", "generation_config.json"};
}

void WriteRate::wrote(std::uint64_t bytes) {
  if (limit_ <= 0) return;
  bytes_ += bytes;
  const std::chrono::duration<double> due(static_cast<double>(bytes_) / limit_);
  std::this_thread::sleep_until(
      start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
}

void check_tensors(const std::vector<CheckpointTensor>& tensors, ManifestSlices slices) {
  for (const CheckpointTensor& tensor : tensors) {
    require(tensor.values && tensor.global_shape.rank() == tensor.values.shape.rank() &&
                tensor.offset.size() == static_cast<std::size_t>(tensor.global_shape.rank()),
            "the slice of '{}' has not the dimensions of {}", tensor.name,
            to_string(tensor.global_shape));
  }
  if (slices == ManifestSlices::part) return;
  for (const ManifestTensor& tensor : manifest_tensors(tensors, -1)) {
    try {
      check_slices(tensor, "cannot save");
    } catch (const Error& error) {
      fail_runtime("{}", error.what());
    }
  }
}

CheckpointManifest write_tensor_files(const std::string& directory,
                                      std::span<const CheckpointTensor> tensors, std::int64_t step,
                                      int rank, WriteRate& rate) {
  CheckpointManifest manifest;
  manifest.step = step;
  manifest.tensors = manifest_tensors(tensors, rank);
  for (int i = 0; i < num_state_kinds; ++i) {
    const auto kind = static_cast<StateKind>(i);
    const bool any =
        std::any_of(tensors.begin(), tensors.end(),
                    [&](const CheckpointTensor& tensor) { return tensor.kind == kind; });
    if (any) write_kind(directory, tensors, kind, rank, rate, manifest);
  }
  return manifest;
}

CheckpointManifest merge_manifests(std::span<const CheckpointManifest> parts) {
  CheckpointManifest whole;
  std::map<std::pair<StateKind, std::string>, std::size_t> index;
  for (const CheckpointManifest& part : parts) {
    whole.step = part.step;
    whole.files.insert(whole.files.end(), part.files.begin(), part.files.end());
    for (const ManifestTensor& tensor : part.tensors) {
      const auto [found, fresh] =
          index.emplace(std::pair(tensor.kind, tensor.name), whole.tensors.size());
      if (fresh) {
        whole.tensors.push_back(tensor);
        continue;
      }
      ManifestTensor& same = whole.tensors[found->second];
      require(same.dtype == tensor.dtype && same.shape == tensor.shape,
              "the slices of '{}' differ in type or global shape", tensor.name);
      same.slices.insert(same.slices.end(), tensor.slices.begin(), tensor.slices.end());
    }
  }
  for (const ManifestTensor& tensor : whole.tensors) check_slices(tensor, "cannot save");
  return whole;
}

std::uint64_t finish_checkpoint(const std::string& directory, CheckpointManifest manifest,
                                const TrainingState& state,
                                const std::vector<std::pair<std::string, std::string>>& files) {
  for (const auto& [name, text] : files) {
    manifest.files.push_back(write_text(directory, name, text));
  }
  manifest.files.push_back(
      write_text(directory, CheckpointManifest::state_file_name, state_text(state)));
  std::uint64_t bytes = 0;
  for (const ManifestFile& file : manifest.files) bytes += file.bytes;
  const std::string text = checkpoint_manifest_text(manifest);
  write_file_atomically(directory + "/" + CheckpointManifest::file_name, text, Flush::by_directory);
  return bytes + text.size();
}

std::uint64_t write_checkpoint_files(
    const std::string& directory, std::span<const CheckpointTensor> tensors,
    const TrainingState& state, WriteRate& rate,
    const std::vector<std::pair<std::string, std::string>>& files) {
  return finish_checkpoint(directory, write_tensor_files(directory, tensors, state.step, -1, rate),
                           state, files);
}

}  // namespace fathom
