// Checkpoints: one directory for each saved step, which opens on any layout.
//
//   checkpoints/step-00001200/
//     manifest.json              what is stored where, and every file's checksum
//     state.json                 step, tokens, data position, seed, config (training_state.h)
//     weight.safetensors         one file a kind: slices of the global tensors under
//     remainder.safetensors      their global names; behind bf16 weights the rest of the
//                                f32 masters (ops/master_weight.h)
//     first_moment.safetensors
//     second_moment.safetensors
//
// This file reads them and names their parts; ranks.h finds and opens them on several ranks;
// writer.h saves them while training goes on; retention.h removes old ones. A directory is written
// under a temporary name and committed by one rename, so it is complete or not
// there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/training_state.h"
#include "core/context.h"
#include "core/error.h"
#include "core/tensor.h"

namespace fathom {

enum class StateKind : std::uint8_t { weight, remainder, first_moment, second_moment };
inline constexpr int num_state_kinds = 4;
std::string_view name_of(StateKind kind);  // also the name of its file

// A box of a global tensor, whose entries are `values`:
// [offset[i], offset[i] + values.shape[i]) of each dimension i. A rank whose
// tensor consists of several ranges (its share of Q, K and V) lists several boxes.
struct CheckpointTensor {
  StateKind kind = StateKind::weight;
  std::string name;  // global
  Shape global_shape;
  std::vector<std::int64_t> offset;  // one a dimension
  Tensor values;                     // any device; rows may lie apart

  // The whole of a global tensor.
  static CheckpointTensor whole(StateKind kind, std::string name, Tensor values);
};

// The input Error of a checkpoint whose files are not as they were written, or cannot be read.
// An older checkpoint may still be undamaged.
class DamagedCheckpoint : public Error {
 public:
  explicit DamagedCheckpoint(const std::string& message) : Error(ErrorKind::input, message) {}
};

template <class... Args>
[[noreturn]] void fail_damaged(fmt::format_string<Args...> format, Args&&... args) {
  throw DamagedCheckpoint(fmt::format(format, std::forward<Args>(args)...));
}

// A complete checkpoint on the disk. Any thread may load from it.
class Checkpoint {
 public:
  enum class Verify {
    checksums,  // every byte of every file, now
    // The manifest and the state now, and each block of a tensor when it is read; blocks that are
    // never read are not verified. Older checkpoints have no checksums of blocks: verify_share().
    as_read,
  };

  // Throws a DamagedCheckpoint that names the file and what is wrong with it when the
  // directory is no complete, undamaged checkpoint.
  explicit Checkpoint(std::string directory, Verify verify = Verify::checksums);
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  struct Entry {
    StateKind kind;
    std::string name;
    DType dtype;
    Shape shape;  // global
  };

  const std::string& directory() const;
  const TrainingState& state() const;
  // For a checkpoint without checksums of blocks: verifies share `index` of `shares` of its files,
  // each about as many bytes, and returns true. For others: does nothing and returns false.
  // `between` is called between blocks, and may throw to end the work.
  bool verify_share(int index, int shares, const std::function<void()>& between = {}) const;
  // Bytes that loads and verify_share() have read so far.
  std::uint64_t bytes_read() const;
  std::int64_t step() const { return state().step; }
  const std::vector<Entry>& entries() const;
  const Entry* find(StateKind kind, std::string_view name) const;  // null when absent
  bool has(StateKind kind) const;                                  // any tensor of this kind

  // Fills `into` (any device; f32 or bf16, converted when the stored type is the
  // other) with entries [offset[i], offset[i] + into.shape[i]) of the global
  // tensor, gathered from whichever slices hold them. Throws an input Error when
  // the tensor is absent or the range is not inside its shape, and a DamagedCheckpoint when a
  // block that was read does not match its checksum.
  void load_slice(Context& context, StateKind kind, std::string_view name,
                  std::span<const std::int64_t> offset, Tensor into) const;
  // The weights of a slice in all their digits, whatever types the checkpoint and the
  // run keep: `weight` f32 with `remainder` absent, or bf16 with its remainder (u16).
  void load_weights(Context& context, std::string_view name, std::span<const std::int64_t> offset,
                    Tensor weight, Tensor remainder) const;
  // The whole tensor; an input Error when the shapes differ.
  void load(Context& context, StateKind kind, std::string_view name, Tensor into) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "step-00001200", and back: none for any other name.
std::string checkpoint_name(std::int64_t step);
std::optional<std::int64_t> checkpoint_step(std::string_view name);

// Steps that have a directory under `directory`, ascending; none when it is absent. Throws an
// input Error when it cannot be listed.
std::vector<std::int64_t> checkpoint_steps(const std::string& directory);

// The checkpoints that a path names, newest first: itself, or those in a directory of checkpoints,
// or in `checkpoints/` of a run's directory. None when there is no such directory.
std::vector<std::string> checkpoints_at(const std::string& path);
// The one checkpoint that `name` names: one's directory, the newest of a run, or a run's of a step
// as "runs/first@1200". Throws an input Error that says what there is when there is no such one.
std::string named_checkpoint(std::string name);
// Throws the input Error that says why a path names no checkpoint.
[[noreturn]] void fail_no_checkpoint(const std::string& path);

}  // namespace fathom
