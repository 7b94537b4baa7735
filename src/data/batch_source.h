// BatchSource: what a run learns from, an endless sequence of numbered samples.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"

namespace fathom {

class BatchSource {
 public:
  virtual ~BatchSource() = default;

  // Makes `batch` hold samples [first, first + count), each of sequence_length() tokens, or all of
  // one of the batch_lengths(). The same
  // numbers always give the same samples, so that a resumed run and any number of ranks see the
  // same order. Any thread may call it.
  virtual void fill(std::int64_t first, std::int64_t count, Batch& batch) const = 0;

  // The longest.
  virtual std::int64_t sequence_length() const = 0;
  // Every sequence length that a batch may have.
  virtual std::vector<std::int64_t> batch_lengths() const { return {sequence_length()}; }

  // A hash of all that decides what fill() gives. A checkpoint keeps it, and refuses a run that
  // has another.
  virtual std::uint64_t fingerprint() const = 0;
};

}  // namespace fathom
