// The held-out text in a fixed order, in which each token is a target exactly once, and its
// size in bytes, so that bits per byte can be computed exactly.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/batch.h"
#include "data/prepared.h"

namespace fathom {

// Whole documents from the beginning of each source's held-out split, one window of
// T targets after another, source by source, the last window of each padded.
//
// Bits per byte of a source = sum over its targets of -log2 p(target), divided by
// counts(source).text_bytes. The targets include every document's first token
// (predicted from an end-of-document token) and the end-of-document token itself.
class Validation {
 public:
  // Takes up to `max_tokens` of each source, in whole documents (at least one); 0: all.
  Validation(std::shared_ptr<const PreparedData> data, std::int64_t sequence_length,
             std::int64_t batch_size, std::int64_t max_tokens = 0,
             AttentionSpan span = AttentionSpan::sequence);

  // Number of batches of all ranks together. Each is full: padding sequences, whose source
  // is -1, fill the last one. A rank takes the batches b with b % ranks == rank.
  std::int64_t num_batches() const;
  void fill(std::int64_t batch_index, Batch& batch) const;

  // Size of the text that is validated on; zero for a source without held-out text.
  const ShardCounts& counts(int source) const { return counts_[static_cast<std::size_t>(source)]; }
  ShardCounts total() const;

 private:
  std::shared_ptr<const PreparedData> data_;
  std::int64_t sequence_length_, batch_size_;
  AttentionSpan span_;
  std::vector<ShardCounts> counts_;          // [sources]
  std::vector<std::int64_t> window_begins_;  // [sources + 1] first window of each source
};

}  // namespace fathom
