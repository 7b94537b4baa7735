// Saving checkpoints while training goes on. The trainer owns one writer; at a
// step where one is due it calls save(), which copies everything to host memory
// that was taken at the start, and returns; a background thread writes the copy,
// flushes it to the disk, commits it by one rename and removes old ones.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "comm/communicator.h"

namespace fathom {

struct CheckpointConfig {
  bool enabled = true;            // false: no save is made, and no memory taken for one
  double interval_seconds = 300;  // between saves; 0: not by time
  std::int64_t every_steps = 0;   // a save at each multiple; 0: not by steps
  std::int64_t keep_last = 2;
  std::int64_t keep_every = 0;  // multiples of this step are kept for good; 0: none
  // Saves besides, which are kept for good too. The caller knows when these points are reached.
  bool keep_phase_ends = false;
  std::vector<std::int64_t> keep_tokens;
  double max_write_megabytes = 0;  // a second; 0: as fast as the disk
};

template <class Visitor>
void visit_fields(CheckpointConfig& c, Visitor&& field) {
  field("enabled", c.enabled, "false: nothing is saved, at the end neither; for trials of speed");
  field("interval_seconds", c.interval_seconds, "seconds between checkpoints; 0: not by time");
  field("every_steps", c.every_steps, "also save at every multiple of this step; 0: not by steps");
  field("keep_last", c.keep_last, "newest checkpoints that are kept");
  field("keep_every", c.keep_every, "multiples of this step are kept for good; 0: none");
  field("keep_phase_ends", c.keep_phase_ends,
        "also save where a multi_step schedule's rate falls or data.phases has a phase begin, and "
        "keep that for good");
  field("keep_tokens", c.keep_tokens,
        "also save once so many tokens are seen, at each of these counts, and keep that for good");
  field("max_write_megabytes", c.max_write_megabytes, "write rate limit a second; 0: none");
}

// Throws an input Error that names the key ("checkpoint.keep_last").
void check(const CheckpointConfig& config);

// How a save ended.
struct SaveResult {
  std::int64_t step = 0;
  std::string error;         // empty: committed; otherwise why not, older ones untouched
  std::uint64_t bytes = 0;   // written
  double held_seconds = 0;   // that save() kept the training thread
  double write_seconds = 0;  // in the background
  bool committed() const { return error.empty(); }
};

// Whether retention.h may remove a checkpoint, or a file in it says that it stays.
enum class Keep { by_rule, for_good };

class CheckpointWriter {
 public:
  // Takes the copies of a save's tensors, in host memory, and returns how many bytes it
  // wrote; on the background thread.
  using Sink = std::function<std::uint64_t(std::span<const CheckpointTensor> copies)>;

  // `directory` holds the step directories (RUN/checkpoints; created when absent;
  // the caller holds the run's lock). Temporaries of saves that were killed are removed.
  // `tensors` are what each save stores; their memory must outlive the writer.
  // `resumed_step`: where this run goes on, 0 for a fresh one; checkpoints of
  // later steps (damaged, or of a past that is being done again) are set aside
  // under "<name>.abandoned" with a warning. Takes host_bytes() of memory. When saving is not
  // enabled, it takes none and leaves the directory as it is.
  // `ranks`: the ranks that save together, each its own tensors, into a directory that
  // all of them see; used by the background thread alone. The first rank commits. All ranks
  // save at the same steps.
  CheckpointWriter(std::string directory, CheckpointConfig config,
                   std::vector<CheckpointTensor> tensors, std::int64_t resumed_step,
                   std::unique_ptr<Communicator> ranks);
  ~CheckpointWriter();  // waits for a running save
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // Bytes of host memory that a writer for these tensors takes; for the memory
  // table, without allocating.
  static std::size_t host_bytes(const std::vector<CheckpointTensor>& tensors);

  // Whether a save should start after `step`: by time or by steps, and none runs.
  // One that comes due while another runs is postponed until that has ended. None is due before
  // the first step after `resumed_step`.
  bool due(std::int64_t step);

  // Starts copying the tensors as they are after what is queued in `context`, and then
  // writing. They may be read at once, but changed only after before_change(). Returns
  // the seconds it took (the training thread's loss). Throws a runtime Error while
  // another save runs.
  double save(Context& context, TrainingState state, Keep keep = Keep::by_rule);
  // Work queued in `context` from now on may change the tensors: a device lets it wait
  // for the copies of a save.
  void before_change(Context& context) const;
  // Saves from now on go there instead of to the directory: for measurements.
  void divert(Sink sink) { sink_ = std::move(sink); }

  bool busy() const;
  // The result of a save that has ended since the last call; never waits. Failed saves have been
  // logged as warnings.
  std::optional<SaveResult> poll();
  // Waits for the running save, if any, and returns its result.
  std::optional<SaveResult> finish();
  // Waits for a running save, then saves and waits: at the end and on a signal.
  // Writes nothing when this step is the last one committed, and fails when saving is not
  // enabled.
  SaveResult save_and_wait(Context& context, TrainingState state, Keep keep = Keep::by_rule);

 private:
  struct Snapshot;
  struct Background;
  SaveResult write(const TrainingState& state, Keep keep) const;  // the background thread's
  std::uint64_t write_files(const TrainingState& state, Keep keep) const;
  bool first() const { return ranks_->rank() == 0; }
  bool alone() const { return ranks_->size() == 1; }

  std::string directory_;
  CheckpointConfig config_;
  std::unique_ptr<Snapshot> snapshot_;
  std::unique_ptr<Communicator> ranks_;
  Sink sink_;  // empty: the directory
  std::int64_t resumed_step_;

  std::unique_ptr<Background> background_;
  std::chrono::steady_clock::time_point last_start_;
  bool postponed_ = false;
  std::int64_t committed_step_ = -1;
};

// Writes one checkpoint to `path` now, on the calling thread: for conversions.
// `files` are further small files (name, content) for its directory. `path` must not
// exist yet. CPU tensors only.
void write_checkpoint(const std::string& path, const std::vector<CheckpointTensor>& tensors,
                      const TrainingState& state,
                      const std::vector<std::pair<std::string, std::string>>& files = {});

}  // namespace fathom
