#include "align/sft_source.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "align/batch_segments.h"
#include "core/error.h"
#include "data/packing.h"
#include "data/permutation.h"
#include "data/sampler.h"
#include "io/checksum.h"

namespace fathom {
namespace {

// A permutation of its own for each epoch and purpose.
Permutation shuffled(std::int64_t size, std::uint64_t seed, std::int64_t epoch,
                     std::string_view purpose, std::int64_t number = 0) {
  const std::uint64_t stream =
      stream_of(purpose.data(), purpose.size()) + static_cast<std::uint64_t>(number);
  return {size, Philox{seed, stream}.bits(static_cast<std::uint64_t>(epoch)), stream};
}

void append_conversation(const Example& example, Batch& batch) {
  const std::int64_t tokens = row_tokens(example);
  batch.inputs.insert(batch.inputs.end(), example.tokens.begin(), example.tokens.end() - 1);
  for (std::size_t i = 1; i < example.tokens.size(); ++i) {
    batch.targets.push_back(example.learned[i] ? example.tokens[i] : no_target);
    batch.num_targets += example.learned[i] != 0;
  }
  end_segment(tokens, batch);
}

void check_example(const Example& example, std::int64_t number, std::int64_t sequence_length) {
  const auto marks = example.learned;
  const bool learns =
      marks.size() > 1 && std::ranges::count(marks.subspan(1), 0) + 1 < std::ssize(marks);
  require(learns, "conversation {} has no token to learn", number);
  require(row_tokens(example) <= sequence_length, "conversation {} takes {} tokens of a row of {}",
          number, row_tokens(example), sequence_length);
}

}  // namespace

std::int64_t row_tokens(const Example& example) {
  return std::ssize(example.tokens) - 1;
}

SftSource::SftSource(std::shared_ptr<const ExampleSet> examples,
                     std::span<const std::int64_t> numbers, const SftRows& rows)
    : examples_(std::move(examples)),
      rows_(rows),
      sorted_(numbers.begin(), numbers.end()),
      row_begins_(1, 0) {
  if (sorted_.empty()) fail_input("there are no conversations to train on");
  for (const std::int64_t number : sorted_) {
    check_example((*examples_)[number], number, rows_.sequence_length);
  }
  const auto length = [this](std::int64_t number) {
    return fathom::row_tokens((*examples_)[number]);
  };
  std::ranges::stable_sort(sorted_, std::greater(), length);
  std::vector<std::int64_t> lengths;
  for (const std::int64_t number : sorted_) {
    if (lengths.empty() || lengths.back() != length(number)) {
      group_begins_.push_back(std::ssize(lengths));
    }
    lengths.push_back(length(number));
  }
  group_begins_.push_back(std::ssize(lengths));
  if (!rows_.packing) {
    slots_.resize(lengths.size());
    std::iota(slots_.begin(), slots_.end(), 0);
    row_begins_.resize(lengths.size() + 1);
    std::iota(row_begins_.begin(), row_begins_.end(), 0);
    return;
  }
  for (const auto& row : pack_best_fit(lengths, rows_.sequence_length)) {
    slots_.insert(slots_.end(), row.begin(), row.end());
    row_begins_.push_back(std::ssize(slots_));
  }
}

SftSource::Place SftSource::place(std::int64_t sample) const {
  const std::int64_t epoch = sample / num_rows();
  return {epoch, shuffled(num_rows(), rows_.seed, epoch, "sft rows")(sample % num_rows())};
}

std::int64_t SftSource::row_tokens(std::int64_t row) const {
  std::int64_t tokens = 0;
  for (std::int64_t i = row_begins_[std::size_t(row)]; i < row_begins_[std::size_t(row) + 1]; ++i) {
    const std::int64_t slot = slots_[static_cast<std::size_t>(i)];
    tokens += fathom::row_tokens((*examples_)[sorted_[static_cast<std::size_t>(slot)]]);
  }
  return tokens;
}

std::vector<std::int64_t> SftSource::conversations_at(Place place) const {
  std::vector<std::int64_t> numbers;
  const auto row = static_cast<std::size_t>(place.row);
  for (std::int64_t i = row_begins_[row]; i < row_begins_[row + 1]; ++i) {
    const std::int64_t slot = slots_[static_cast<std::size_t>(i)];
    const auto after = std::ranges::upper_bound(group_begins_, slot);
    const std::int64_t begin = *(after - 1), size = *after - begin;
    const std::int64_t other =
        begin + shuffled(size, rows_.seed, place.epoch, "sft partners", begin)(slot - begin);
    numbers.push_back(sorted_[static_cast<std::size_t>(other)]);
  }
  return numbers;
}

std::vector<std::int64_t> SftSource::conversations(std::int64_t sample) const {
  return conversations_at(places(sample, 1).front());
}

std::vector<SftSource::Place> SftSource::places(std::int64_t first, std::int64_t count) const {
  const std::int64_t step = rows_.packing ? 1 : rows_.step;
  const std::int64_t begin = first / step * step;
  const std::int64_t end = (first + count + step - 1) / step * step;
  std::vector<Place> all;
  for (std::int64_t sample = begin; sample < end; ++sample) all.push_back(place(sample));
  for (std::int64_t at = 0; step > 1 && at < end - begin; at += step) {
    std::ranges::stable_sort(all.begin() + at, all.begin() + at + step, std::greater(),
                             [this](const Place& of) { return row_tokens(of.row); });
  }
  return {all.begin() + (first - begin), all.begin() + (first - begin) + count};
}

void SftSource::append_row(Place place, Batch& batch) const {
  for (const std::int64_t number : conversations_at(place)) {
    append_conversation((*examples_)[number], batch);
  }
  ++batch.sequences;
  batch.sources.push_back(0);
  append_padding(batch.sequences * batch.sequence_length - std::ssize(batch.inputs), batch);
}

void SftSource::fill(std::int64_t first, std::int64_t count, Batch& batch) const {
  const std::vector<Place> rows = places(first, count);
  std::int64_t length = rows_.sequence_length;
  if (!rows_.packing) {
    std::int64_t longest = 1;
    for (const Place& place : rows) longest = std::max(longest, row_tokens(place.row));
    const std::int64_t multiple = rows_.length_multiple;
    length = std::min(length, (longest + multiple - 1) / multiple * multiple);
  }
  reset(batch, length, first);
  for (const Place& place : rows) append_row(place, batch);
}

std::vector<std::int64_t> SftSource::batch_lengths() const {
  if (rows_.packing) return {rows_.sequence_length};
  const std::int64_t longest = row_tokens(0);
  std::vector<std::int64_t> lengths;
  for (std::int64_t length = rows_.length_multiple; length < rows_.sequence_length;
       length += rows_.length_multiple) {
    lengths.push_back(length);
    if (length >= longest) return lengths;
  }
  lengths.push_back(rows_.sequence_length);
  return lengths;
}

std::uint64_t SftSource::fingerprint() const {
  Checksum taken;
  taken.update(std::as_bytes(std::span(sorted_)));
  return checksum_of(fmt::format("sft {} {} {} {} {} {}", examples_->hash(), taken.value(),
                                 rows_.sequence_length, rows_.packing, rows_.seed,
                                 rows_.packing ? 0 : rows_.step));
}

std::vector<std::int64_t> repeat_by_weight(std::span<const std::int64_t> counts,
                                           std::span<const double> weights, std::uint64_t seed) {
  require(counts.size() == weights.size(), "{} sets with {} weights", counts.size(),
          weights.size());
  std::vector<std::int64_t> numbers;
  std::int64_t begin = 0;
  for (std::size_t set = 0; set < counts.size(); ++set) {
    const std::int64_t count = counts[set];
    const auto taken =
        static_cast<std::int64_t>(std::llround(weights[set] * static_cast<double>(count)));
    const Permutation order = shuffled(std::max<std::int64_t>(1, count), seed, 0, "sft weights",
                                       static_cast<std::int64_t>(set));
    for (std::int64_t i = 0; i < taken; ++i) {
      // Whole passes first, then some of them.
      numbers.push_back(begin + (taken - i > taken % count ? i % count : order(i % count)));
    }
    begin += count;
  }
  return numbers;
}

}  // namespace fathom
