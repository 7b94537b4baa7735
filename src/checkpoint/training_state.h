// TrainingState: everything of a run besides its tensors, as state.json keeps it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

// What a run must know of a source of its training data to see the same samples again.
struct SourceState {
  std::string name;
  double weight = 1;
  std::int64_t tokens = 0, documents = 0;
  std::uint64_t content = 0;  // checksum of all its tokens (TokenStream::checksum)
  bool operator==(const SourceState&) const = default;
};

// A phase of the data that has begun: from there on its sources have other weights.
struct PhaseState {
  std::int64_t first_sample = 0;
  std::int64_t step = 0;             // steps done before it, where its config names them; else 0
  std::uint64_t sample_order = 0;    // Sampler::fingerprint() of its mix
  std::vector<SourceState> sources;  // with weight
  bool operator==(const PhaseState&) const = default;
};

// Position in the training data, and which data it is.
struct DataState {
  std::int64_t next_sample = 0;      // in the sampler's order
  std::uint64_t sample_order = 0;    // Sampler::fingerprint()
  std::int64_t sequence_length = 0;  // 0: not known, see `sources`
  bool attention_within_documents = false;
  std::vector<SourceState> sources;  // empty: saved before checkpoints listed them
  std::vector<PhaseState> phases = {};  // those that have begun before next_sample, in order
  bool operator==(const DataState&) const = default;
};

// Statistics of the spike guard (learn/guard.h).
struct GuardState {
  double mean = 0, variance = 0;
  std::int64_t seen = 0, skipped = 0, consecutive = 0;
  bool operator==(const GuardState&) const = default;
};

// Shares of the learning rate's peak: the next step's warm-up and the last one's decay.
struct ScheduleState {
  double warmup = 1, decay = 1;
  bool operator==(const ScheduleState&) const = default;
};

// How much of a text was read, in windows of `sequence_length` tokens.
struct SourceReading {
  std::string name;           // the source's
  std::uint64_t content = 0;  // SourceState's
  std::int64_t sequence_length = 0;
  std::int64_t windows = 0;  // in the sampler's order, those of a second epoch counted again
  bool operator==(const SourceReading&) const = default;
};

// Where a run continues another one: the checkpoint that it began with.
struct BranchState {
  std::string checkpoint;  // its directory
  std::int64_t step = 0, tokens = 0;
  std::int64_t next_sample = 0;     // the first of the new run's own
  double warmup = 1;                // ScheduleState's
  std::vector<SourceReading> read;  // until then, by all runs that lead there
  bool operator==(const BranchState&) const = default;
};

// Numbers survive exactly, infinities and NaN too.
struct TrainingState {
  std::int64_t step = 0;    // steps done, skipped ones too
  std::int64_t tokens = 0;  // tokens seen
  std::uint64_t seed = 0;
  double elapsed_seconds = 0;  // trained so far, over all processes
  std::string config_toml;     // the run's resolved config; has a [model] table
  std::string tokenizer_hash;  // of the tokenizer that the shards were made with
  // Objective::name() of the run; checkpoints that do not name it are of this one.
  std::string objective = "next_token";
  // Absent in a checkpoint of weights alone, which no run can resume (`fathom convert`).
  std::optional<DataState> data;
  std::optional<GuardState> guard;
  ScheduleState schedule;             // checkpoints that do not name it are past their warm-up
  std::optional<BranchState> branch;  // absent: the run continues no other
  bool operator==(const TrainingState&) const = default;
};

}  // namespace fathom
