// The files of one checkpoint, written into a directory that the caller commits.
// Internal to the checkpoints.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"
#include "io/output_path.h"

namespace fathom {

// Names of all files of a checkpoint.
OwnFiles checkpoint_files();

// Limits a writer to so many bytes a second, by sleeping.
class WriteRate {
 public:
  explicit WriteRate(double bytes_per_second) : limit_(bytes_per_second) {}  // 0: no limit
  void wrote(std::uint64_t bytes);

 private:
  double limit_;
  std::uint64_t bytes_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Throws a runtime Error unless each slice has its tensor's dimensions and, when the list is
// not one rank's part, the slices of each tensor cover it.
void check_tensors(const std::vector<CheckpointTensor>& tensors,
                   ManifestSlices slices = ManifestSlices::whole);

// The steps of a checkpoint that several ranks write: each its own files, whose names
// have its number (negative: the only one), then one of them the manifest of all. The
// last returns the bytes of everything.
CheckpointManifest write_tensor_files(const std::string& directory,
                                      std::span<const CheckpointTensor> tensors, std::int64_t step,
                                      int rank, WriteRate& rate);
CheckpointManifest merge_manifests(std::span<const CheckpointManifest> parts);
std::uint64_t finish_checkpoint(const std::string& directory, CheckpointManifest manifest,
                                const TrainingState& state,
                                const std::vector<std::pair<std::string, std::string>>& files);

// Writes tensors (contiguous, on the CPU), state and further listed files, then
// the manifest. Returns the bytes written.
std::uint64_t write_checkpoint_files(const std::string& directory,
                                     std::span<const CheckpointTensor> tensors,
                                     const TrainingState& state, WriteRate& rate,
                                     const std::vector<std::pair<std::string, std::string>>& files);

}  // namespace fathom
