// The held-out text in fixed order, each token a target exactly once, with the
// bytes that it took: what an exact figure of bits per byte needs.
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
  // Documents up to `max_tokens` a source (at least one); 0: all.
  Validation(std::shared_ptr<const PreparedData> data, std::int64_t sequence_length,
             std::int64_t batch_size, std::int64_t max_tokens = 0,
             AttentionSpan span = AttentionSpan::sequence);

  // Batches of all ranks; each is full, the last one by padding sequences whose
  // source is -1. A rank takes those batches b with b % ranks == rank.
  std::int64_t num_batches() const;
  void fill(std::int64_t batch_index, Batch& batch) const;

  // What is validated on of each source; sources without held-out text have none.
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
