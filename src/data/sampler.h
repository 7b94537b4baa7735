// The order of the training data: sample i is a pure function of (seed, i).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/batch_source.h"
#include "data/mix_phases.h"
#include "data/mixture.h"
#include "data/prepared.h"

namespace fathom {

// T consecutive targets of a source, from `first_target` on. `end`, at most the stream's
// end, may come sooner; the rest of the window is padding.
struct Window {
  const TokenStream& stream;
  std::int64_t first_target, end;
  std::int32_t source;
};
// Appends a window to the batch. Inputs are the tokens before the targets; before the
// stream's first token the input is `eos`. Padding has input eos and target -1. Sampler and
// Validation share this function.
void append_sequence(const Window& window, std::int32_t eos, AttentionSpan span, Batch& batch);
// A batch without sequences yet.
void reset(Batch& batch, std::int64_t sequence_length, std::int64_t first_sample);

// Where a sampler goes on that follows others, which had other sources or weights.
struct SamplerStart {
  std::int64_t first_sample = 0;  // samples before it were other samplers'
  // [sources of the data] windows of each source that were read before; empty: none.
  std::vector<std::int64_t> read;
};

// Each source is cut into consecutive windows of T targets (a shorter rest at the end is
// not used). Its turns (data/mixture.h) follow a pseudo-random permutation of the windows,
// a new one in each epoch, so an epoch of a source takes every window exactly once. With a
// SamplerStart the first turn of a source follows the windows that were read before. A phase
// gives the sources other weights; each goes on where it was, so that its windows come in the same
// order whatever the phases. No state is kept between calls.
class Sampler final : public BatchSource {
 public:
  // `data` is shared with others and must not change. First samples of phases ascend; of those up
  // to the start's first sample the last gives the weights there. Throws an input Error when a
  // source with weight is shorter than a sequence.
  Sampler(std::shared_ptr<const PreparedData> data, std::int64_t sequence_length,
          std::uint64_t seed, AttentionSpan span = AttentionSpan::sequence,
          const SamplerStart& start = {}, const std::vector<MixPhase>& phases = {});

  struct Place {
    int source;  // index in PreparedData::sources
    std::int64_t epoch, window;
  };
  Place place(std::int64_t sample) const;  // not before the start's first sample

  void fill(std::int64_t first, std::int64_t count, Batch& batch) const override;
  std::int64_t sequence_length() const override { return sequence_length_; }
  // Windows of one epoch of the source.
  std::int64_t windows(int source) const;
  // Windows of each source that were read before `sample`, those before the start included.
  std::vector<std::int64_t> windows_read(std::int64_t sample) const;  // [sources]

  // The mix at the start and those of the later phases, in order.
  std::size_t num_mixes() const { return mixes_.size(); }
  // What the mix was made of.
  const MixPhase& mix(std::size_t i) const { return mixes_[i].phase; }
  // Of all that decides the mix's samples: the seed, the sources, their sizes, weights and
  // beginnings, and T. A mix that goes on as the one before would has the same.
  std::uint64_t fingerprint(std::size_t mix) const;
  // Of the first mix: a checkpoint keeps those of the phases beside it (DataState::phases).
  std::uint64_t fingerprint() const override { return fingerprint(0); }

 private:
  struct Active {  // a source with weight
    int source;
    std::int64_t windows;
    std::uint64_t stream;    // of its random numbers
    std::int64_t ahead = 0;  // windows read before the mix, less its turns until then
  };
  struct Mix {
    MixPhase phase;
    std::vector<std::int64_t> read;  // [sources] windows before its first sample
    std::vector<Active> active;
    Mixture mixture;
  };
  Mix make_mix(MixPhase phase, std::vector<std::int64_t> read) const;
  const Mix& mix_at(std::int64_t sample) const;

  std::shared_ptr<const PreparedData> data_;
  std::int64_t sequence_length_;
  std::uint64_t seed_;
  AttentionSpan span_;
  std::vector<Mix> mixes_;  // at least one
};

}  // namespace fathom
