#include "align/weights_checksum.h"

#include <algorithm>
#include <filesystem>

#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"
#include "core/error.h"
#include "io/checksum.h"
#include "io/mapped_file.h"
#include "model/hugging_face.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::string of_checkpoint(const std::string& directory) {
  const std::string path = directory + "/" + CheckpointManifest::file_name;
  const MappedFile file(path);
  std::string checksums;
  for (const ManifestFile& entry : parse_checkpoint_manifest(file.text(), path).files) {
    const bool of_weights = entry.name.starts_with(name_of(StateKind::weight)) ||
                            entry.name.starts_with(name_of(StateKind::remainder));
    if (of_weights) checksums += fmt::format("{} {}\n", entry.name, checksum_text(entry.checksum));
  }
  return checksum_text(checksum_of(checksums));
}

std::string of_directory(const std::string& directory) {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path().string());
  }
  if (files.empty()) fail_input("{}: holds no .safetensors file", directory);
  std::ranges::sort(files);
  std::string checksums;
  for (const std::string& file : files) checksums += checksum_text(checksum_of_file(file)) + "\n";
  return checksum_text(checksum_of(checksums));
}

}  // namespace

std::string weights_checksum(const std::string& path) {
  if (is_model_directory(path)) return of_directory(path);
  const std::vector<std::string> checkpoints = checkpoints_at(path);
  if (checkpoints.empty()) fail_no_checkpoint(path);
  return of_checkpoint(checkpoints.front());
}

}  // namespace fathom
