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

// Position in the training data, and which data it is.
struct DataState {
  std::int64_t next_sample = 0;      // in the sampler's order
  std::uint64_t sample_order = 0;    // Sampler::fingerprint()
  std::int64_t sequence_length = 0;  // 0: not known, see `sources`
  bool attention_within_documents = false;
  std::vector<SourceState> sources;  // empty: saved before checkpoints listed them
  bool operator==(const DataState&) const = default;
};

// Statistics of the spike guard (learn/guard.h).
struct GuardState {
  double mean = 0, variance = 0;
  std::int64_t seen = 0, skipped = 0, consecutive = 0;
  bool operator==(const GuardState&) const = default;
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
  bool operator==(const TrainingState&) const = default;
};

}  // namespace fathom
