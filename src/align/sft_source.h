// SftSource: conversations as the rows of a training run.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "align/example_set.h"
#include "data/batch_source.h"

namespace fathom {

struct SftRows {
  std::int64_t sequence_length = 1;  // longest row
  bool packing = true;               // several conversations a row; else one
  std::uint64_t seed = 0;
  // Without packing: samples [k · step, (k + 1) · step), a step's, are ordered by length, so that
  // those of a micro-batch are about equally long. With packing it is not used.
  std::int64_t step = 1;
  // Without packing a batch is as long as its longest row, rounded up to a multiple of this, at
  // most sequence_length. It changes padding alone.
  std::int64_t length_multiple = 64;
};

// A conversation is a segment of its row: attention stays inside, positions begin at 0. Its targets
// are the learned tokens; its last token is a target only, no input. The row's tail is padding, a
// segment without targets.
//
// Rows are packed by best fit (data/packing.h). Each epoch takes every conversation once (or as
// often as `numbers` lists it), with the rows in an order of its own and, packed, other partners:
// conversations of the same length change places. No state is kept between calls, so that all
// ranks and resumed runs see the same.
class SftSource final : public BatchSource {
 public:
  // `numbers`: which of the examples an epoch takes, and how often. `examples` is shared with
  // others and must not change. Throws an input Error when there are none, and a run-time Error
  // when one has no target or more than sequence_length inputs.
  SftSource(std::shared_ptr<const ExampleSet> examples, std::span<const std::int64_t> numbers,
            const SftRows& rows);

  void fill(std::int64_t first, std::int64_t count, Batch& batch) const override;
  std::int64_t sequence_length() const override { return rows_.sequence_length; }
  std::vector<std::int64_t> batch_lengths() const override;
  // Of the conversations, how often each is taken, and how rows are made and ordered.
  std::uint64_t fingerprint() const override;

  std::int64_t num_rows() const { return std::ssize(row_begins_) - 1; }  // of an epoch
  // The conversations of a sample, in their order.
  std::vector<std::int64_t> conversations(std::int64_t sample) const;
  const ExampleSet& examples() const { return *examples_; }

 private:
  // A row of an epoch; its lengths are those of every epoch's.
  struct Place {
    std::int64_t epoch, row;
  };
  Place place(std::int64_t sample) const;
  std::vector<std::int64_t> conversations_at(Place place) const;
  std::int64_t row_tokens(std::int64_t row) const;
  // The row of each sample of [first, first + count).
  std::vector<Place> places(std::int64_t first, std::int64_t count) const;
  void append_row(Place place, Batch& batch) const;

  std::shared_ptr<const ExampleSet> examples_;
  SftRows rows_;
  std::vector<std::int64_t> sorted_;        // examples by length, longest first
  std::vector<std::int64_t> group_begins_;  // in sorted_: of each length; and the end
  std::vector<std::int64_t> row_begins_;    // [rows + 1] in slots_
  std::vector<std::int64_t> slots_;         // of all rows: places in sorted_
};

// Tokens of a row that a conversation takes.
std::int64_t row_tokens(const Example& example);

// Which conversations an epoch takes of sets of `counts` conversations that follow each other:
// each as often as the whole part of its set's weight, and a share of them, chosen by the seed,
// once more for the rest of it.
std::vector<std::int64_t> repeat_by_weight(std::span<const std::int64_t> counts,
                                           std::span<const double> weights, std::uint64_t seed);

}  // namespace fathom
