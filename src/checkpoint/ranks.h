// Several ranks that read or write checkpoints together, each its own part. They wait for each
// other's disks as long as it takes (PatientWaits), and all throw the error of one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "comm/communicator.h"

namespace fathom {

// Runs `work` on every rank and returns all results, in the order of the ranks. When it throws on
// one of several ranks, all throw its message as a runtime Error; on a single rank its own
// exception passes. Collective.
std::vector<std::string> all_or_none(Communicator& ranks, const std::function<std::string()>& work);

// Runs `work`, which reads a checkpoint. When a rank finds it damaged, all throw that
// DamagedCheckpoint; another Error ends the job. Collective.
void read_together(Communicator& ranks, const std::function<void()>& work);

// Opens what `path` names (see checkpoints_at()) on every rank, and calls `use` with it, which
// reads it by read_together(). A damaged one of several is left out with a warning, and `use`
// called with the next older one. Returns false when there is none; throws an input Error when
// all are damaged, so that no run silently starts again at zero. Collective.
bool use_newest_checkpoint(const std::string& path, Communicator& ranks,
                           const std::function<void(const Checkpoint&)>& use);

// What a checkpoint says besides its tensors, which are not read, and where it is.
struct SavedState {
  std::string directory;
  TrainingState state;
};
// Of the newest checkpoint at `path` (checkpoints_at()) whose manifest and state are undamaged;
// none when there is none. The first rank reads it for all. Collective.
std::optional<SavedState> newest_state(const std::string& path, Communicator& ranks);
// Of the checkpoint that `name` names (named_checkpoint()). Throws its input Errors, and a
// DamagedCheckpoint. The first rank reads it for all. Collective.
SavedState named_state(const std::string& name, Communicator& ranks);

// How fast all ranks together read or wrote. Begins when it is made.
class TransferRate {
 public:
  // "N GB of checkpoint in S s (R GB/s)", of all ranks' bytes. Collective.
  std::string text(const char* what, Communicator& ranks, std::uint64_t bytes) const;

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace fathom
