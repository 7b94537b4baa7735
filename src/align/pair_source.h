// PairSource: preference pairs as the rows of a training run, and where each pair is in them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "align/example_set.h"
#include "data/batch_source.h"

namespace fathom {

// How many pairs share a row.
enum class PairRows { packed, one_pair };

// Positions of a batch whose targets are an answer's tokens: [begin, end).
struct AnswerTokens {
  std::int64_t begin = 0, end = 0;
  std::int64_t count() const { return end - begin; }
};

struct PlacedPair {
  std::int64_t pair = 0;  // its number in the set
  AnswerTokens chosen, rejected;
};

// A row holds pairs; of a pair the prompt with the chosen answer, and then the prompt with the
// rejected one. Each is a segment: attention stays inside, positions begin at 0, and the answer's
// tokens are the targets. What is left of the row is padding, a segment without targets.
//
// Pairs are packed into rows once, by best fit (data/packing.h). An epoch takes every row once, in
// an order of its own. No state is kept between calls, so all ranks and resumed runs see the same.
class PairSource final : public BatchSource {
 public:
  // `pairs` is shared with others and must not change. Throws an input Error when there are none,
  // or when one does not fit into a row (pair_row_tokens()).
  PairSource(std::shared_ptr<const PreferenceSet> pairs, std::int64_t sequence_length,
             std::uint64_t seed, PairRows mode = PairRows::packed);

  void fill(std::int64_t first, std::int64_t count, Batch& batch) const override;
  std::int64_t sequence_length() const override { return sequence_length_; }
  // Of the pairs, their rows and the seed.
  std::uint64_t fingerprint() const override;

  const PreferenceSet& pairs() const { return *pairs_; }
  std::int64_t rows() const { return std::ssize(rows_); }  // of an epoch
  // The pairs of the batch that fill(first, count) makes, in its order.
  std::vector<PlacedPair> placed(std::int64_t first, std::int64_t count) const;

 private:
  const std::vector<std::int64_t>& row_of(std::int64_t sample) const;

  std::shared_ptr<const PreferenceSet> pairs_;
  std::int64_t sequence_length_;
  std::uint64_t seed_;
  std::vector<std::vector<std::int64_t>> rows_;  // pairs of each row
};

// Tokens of a row that a pair takes. The last token of each answer is a target only, no input.
std::int64_t pair_row_tokens(const PreferencePair& pair);

}  // namespace fathom
