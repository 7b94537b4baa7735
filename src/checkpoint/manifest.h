// manifest.json and state.json as structs and as text. Parsing checks that their
// values are consistent; checkpoint.cpp compares them with the
// files. Internal to the checkpoints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace fathom {

inline constexpr std::uint64_t slice_block_bytes = std::uint64_t{4} << 20;

struct ManifestFile {
  std::string name;  // inside the directory
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;  // XXH3 of the whole file
};

// A box of a global tensor: [offset[i], offset[i] + extent[i]) of each dimension.
struct ManifestSlice {
  std::vector<std::int64_t> offset, extent;
  std::string file;  // that holds it
  std::string key;   // its name in there
  // XXH3 of each block of `slice_block_bytes` of the slice's bytes, the last one shorter. Empty
  // in checkpoints of older programs, which have the files' checksums alone.
  std::vector<std::uint64_t> checksums;
};

struct ManifestTensor {
  StateKind kind = StateKind::weight;
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::vector<ManifestSlice> slices;  // disjoint, together the whole tensor
};

struct CheckpointManifest {
  static constexpr std::int64_t current_version = 1;
  static constexpr const char* file_name = "manifest.json";
  static constexpr const char* state_file_name = "state.json";

  std::int64_t step = 0;
  std::vector<ManifestFile> files;
  std::vector<ManifestTensor> tensors;
};

// The text begins with a checksum of all that follows it, so that damage to the
// manifest itself shows too.
std::string checkpoint_manifest_text(const CheckpointManifest& manifest);
// Whether a manifest's slices make whole tensors, or are one rank's part of them.
enum class ManifestSlices { whole, part };
// Throws an input Error that begins with `source`.
CheckpointManifest parse_checkpoint_manifest(std::string_view text, const std::string& source,
                                             ManifestSlices slices = ManifestSlices::whole);

std::string state_text(const TrainingState& state);
TrainingState parse_state(std::string_view text, const std::string& source);

// Throws an input Error when the slices overlap, leave the shape, or do not cover it.
void check_slices(const ManifestTensor& tensor, const std::string& source);

}  // namespace fathom
