// A tiny model's state and the checkpoints of it, for the tests of checkpoints.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"
#include "checkpoint/ranks.h"
#include "checkpoint/writer.h"
#include "comm/world_of_one.h"
#include "core/error.h"

namespace fathom::test {

inline std::string fresh_directory(const std::string& name) {
  const std::string path = testing::TempDir() + "checkpoint_test_" + name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

template <class F>
inline std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// A tiny model's state: a matrix and a vector of each kind.
struct State {
  std::vector<float> matrix, vector;
  std::vector<CheckpointTensor> tensors;
  Context context{cpu_device, 1 << 16};

  explicit State(std::int64_t rows = 7, std::int64_t columns = 5)
      : matrix(static_cast<std::size_t>(4 * rows * columns)), vector(4 * 3) {
    for (int kind = 0; kind < num_state_kinds; ++kind) {
      const auto k = static_cast<StateKind>(kind);
      tensors.push_back(CheckpointTensor::whole(
          k, "matrix", Tensor(matrix.data() + kind * rows * columns, DType::f32, {rows, columns})));
      tensors.push_back(
          CheckpointTensor::whole(k, "vector", Tensor(vector.data() + kind * 3, DType::f32, {3})));
    }
    fill(1);
  }

  // Values that belong to a step.
  void fill(std::int64_t step) {
    for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = float(step * 1000) + float(i);
    for (std::size_t i = 0; i < vector.size(); ++i) vector[i] = float(step) + float(i) / 16;
  }

  TrainingState training(std::int64_t step) const {
    TrainingState state;
    state.step = step;
    state.tokens = step * 4096;
    state.seed = ~0ULL;
    state.data = {1LL << 60, ~0ULL - 2, 4096, true, {{"中", 0.1, 7, 3, 1}, {"b", 3, 1, 1, ~0ULL}}};
    state.guard = {0.1, std::numeric_limits<double>::infinity(), step, 2, 1};
    state.elapsed_seconds = 12.345678901234567;
    state.config_toml = "[model]\nname = \"中 \\\"x\\\"\"\n";
    state.tokenizer_hash = "abc";
    state.schedule = {0.1, 0.31622776601683794};
    state.branch = {"runs/中@7", 7, 1LL << 50, 1LL << 40, 0.3, {{"b", ~0ULL, 4096, 1LL << 41}}};
    return state;
  }

  void expect_loads(const Checkpoint& checkpoint) {
    for (const CheckpointTensor& tensor : tensors) {
      std::vector<float> read(static_cast<std::size_t>(tensor.values.elements()), -1);
      checkpoint.load(context, tensor.kind, tensor.name,
                      Tensor(read.data(), DType::f32, tensor.values.shape));
      const auto* want = static_cast<const float*>(tensor.values.data);
      ASSERT_EQ(read, std::vector<float>(want, want + read.size())) << tensor.name;
    }
  }
};

inline std::string saved(const std::string& directory, State& state, std::int64_t step) {
  const std::string path = directory + "/" + checkpoint_name(step);
  state.fill(step);
  write_checkpoint(path, state.tensors, state.training(step));
  return path;
}

// The step of the newest checkpoint whose tensors can all be read, and are that step's; none where
// there is no checkpoint.
inline std::optional<std::int64_t> newest_step(const std::string& directory, State& state) {
  std::optional<std::int64_t> step;
  use_newest_checkpoint(directory, *world_of_one(), [&](const Checkpoint& checkpoint) {
    state.fill(checkpoint.step());
    state.expect_loads(checkpoint);
    step = checkpoint.step();
  });
  return step;
}

inline CheckpointConfig by_steps(std::int64_t keep_last = 2) {
  CheckpointConfig config;
  config.interval_seconds = 0;
  config.every_steps = 1;
  config.keep_last = keep_last;
  return config;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Takes the blocks' checksums out of the manifest, as those before them had none.
inline void make_old(const std::string& checkpoint) {
  const std::string path = checkpoint + "/manifest.json";
  CheckpointManifest manifest = parse_checkpoint_manifest(read_file(path), path);
  for (ManifestTensor& tensor : manifest.tensors) {
    for (ManifestSlice& slice : tensor.slices) slice.checksums.clear();
  }
  write_file(path, checkpoint_manifest_text(manifest));
}

}  // namespace fathom::test
