#include "align/pair_source.h"

#include <algorithm>

#include "align/batch_segments.h"
#include "core/error.h"
#include "data/packing.h"
#include "data/permutation.h"
#include "data/sampler.h"
#include "io/checksum.h"

namespace fathom {
namespace {

std::int64_t segment_tokens(std::span<const std::int32_t> prompt,
                            std::span<const std::int32_t> answer) {
  return std::ssize(prompt) + std::ssize(answer) - 1;
}

// The answer's targets in a segment that begins at `begin`: the last token of the prompt predicts
// the first one.
AnswerTokens answer_tokens(std::int64_t begin, std::span<const std::int32_t> prompt,
                           std::span<const std::int32_t> answer) {
  const std::int64_t first = begin + std::ssize(prompt) - 1;
  return {first, first + std::ssize(answer)};
}

void append_segment(std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer,
                    Batch& batch) {
  batch.inputs.insert(batch.inputs.end(), prompt.begin(), prompt.end());
  batch.inputs.insert(batch.inputs.end(), answer.begin(), answer.end() - 1);
  batch.targets.insert(batch.targets.end(), prompt.size() - 1, no_target);
  batch.targets.insert(batch.targets.end(), answer.begin(), answer.end());
  end_segment(segment_tokens(prompt, answer), batch);
  batch.num_targets += std::ssize(answer);
}

std::vector<std::vector<std::int64_t>> rows_of(const PreferenceSet& pairs, std::int64_t length,
                                               PairRows mode) {
  std::vector<std::int64_t> lengths;
  std::vector<std::vector<std::int64_t>> rows;
  for (std::int64_t i = 0; i < pairs.size(); ++i) {
    const PreferencePair pair = pairs[i];
    require(!pair.prompt.empty() && !pair.chosen.empty() && !pair.rejected.empty(),
            "pair {} has an empty part", i);
    lengths.push_back(pair_row_tokens(pair));
    if (lengths.back() > length) {
      fail_input("pair {} takes {} tokens, the prompt twice, and train.sequence_length is {}",
                 i + 1, lengths.back(), length);
    }
    rows.push_back({i});
  }
  if (rows.empty()) fail_input("there are no preference pairs to train on");
  return mode == PairRows::packed ? pack_best_fit(lengths, length) : rows;
}

}  // namespace

std::int64_t pair_row_tokens(const PreferencePair& pair) {
  return segment_tokens(pair.prompt, pair.chosen) + segment_tokens(pair.prompt, pair.rejected);
}

PairSource::PairSource(std::shared_ptr<const PreferenceSet> pairs, std::int64_t sequence_length,
                       std::uint64_t seed, PairRows mode)
    : pairs_(std::move(pairs)),
      sequence_length_(sequence_length),
      seed_(seed),
      rows_(rows_of(*pairs_, sequence_length, mode)) {}

const std::vector<std::int64_t>& PairSource::row_of(std::int64_t sample) const {
  constexpr char name[] = "preference pairs";
  const std::uint64_t stream = stream_of(name, sizeof(name) - 1);
  const std::uint64_t epoch = static_cast<std::uint64_t>(sample / rows());
  const Permutation order(rows(), Philox{seed_, stream}.bits(epoch), stream);
  return rows_[static_cast<std::size_t>(order(sample % rows()))];
}

void PairSource::fill(std::int64_t first, std::int64_t count, Batch& batch) const {
  reset(batch, sequence_length_, first);
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    for (const std::int64_t index : row_of(sample)) {
      const PreferencePair pair = (*pairs_)[index];
      append_segment(pair.prompt, pair.chosen, batch);
      append_segment(pair.prompt, pair.rejected, batch);
    }
    ++batch.sequences;
    batch.sources.push_back(0);
    append_padding(batch.sequences * sequence_length_ - std::ssize(batch.inputs), batch);
  }
  batch.loss_weights.clear();
}

std::vector<PlacedPair> PairSource::placed(std::int64_t first, std::int64_t count) const {
  std::vector<PlacedPair> all;
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    std::int64_t begin = (sample - first) * sequence_length_;
    for (const std::int64_t index : row_of(sample)) {
      const PreferencePair pair = (*pairs_)[index];
      const std::int64_t second = begin + segment_tokens(pair.prompt, pair.chosen);
      all.push_back({index, answer_tokens(begin, pair.prompt, pair.chosen),
                     answer_tokens(second, pair.prompt, pair.rejected)});
      begin += pair_row_tokens(pair);
    }
  }
  return all;
}

std::uint64_t PairSource::fingerprint() const {
  // Rows follow from the pairs, T and the mode, which their number tells.
  return checksum_of(
      fmt::format("{} {} {} {}", pairs_->hash(), sequence_length_, seed_, rows_.size()));
}

}  // namespace fathom
