#include "data/validation.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "data/sampler.h"

namespace fathom {

Validation::Validation(std::shared_ptr<const PreparedData> data, std::int64_t sequence_length,
                       std::int64_t batch_size, std::int64_t max_tokens, AttentionSpan span)
    : data_(std::move(data)),
      sequence_length_(sequence_length),
      batch_size_(batch_size),
      span_(span),
      window_begins_(1, 0) {
  require(sequence_length >= 1 && batch_size >= 1, "validation with sequences of {}, {} a batch",
          sequence_length, batch_size);
  for (const PreparedSource& source : data_->sources) {
    const std::int64_t limit =
        max_tokens > 0 ? max_tokens : std::numeric_limits<std::int64_t>::max();
    counts_.push_back(source.held_out.first_documents(limit));
    window_begins_.push_back(window_begins_.back() +
                             (counts_.back().tokens + sequence_length - 1) / sequence_length);
  }
}

std::int64_t Validation::num_batches() const {
  return (window_begins_.back() + batch_size_ - 1) / batch_size_;
}

void Validation::fill(std::int64_t batch_index, Batch& batch) const {
  const std::int64_t first = batch_index * batch_size_;
  reset(batch, sequence_length_, first);
  for (std::int64_t window = first; window < first + batch_size_; ++window) {
    if (window >= window_begins_.back()) {
      append_sequence({TokenStream(), 0, 0, -1}, data_->eos, span_, batch);
      continue;
    }
    const auto after = std::upper_bound(window_begins_.begin(), window_begins_.end(), window);
    const auto source = static_cast<std::size_t>(after - window_begins_.begin()) - 1;
    append_sequence(
        {data_->sources[source].held_out, (window - window_begins_[source]) * sequence_length_,
         counts_[source].tokens, static_cast<std::int32_t>(source)},
        data_->eos, span_, batch);
  }
}

ShardCounts Validation::total() const {
  ShardCounts total;
  for (const ShardCounts& counts : counts_) total += counts;
  return total;
}

}  // namespace fathom
