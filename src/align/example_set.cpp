#include "align/example_set.h"

#include <algorithm>

#include "core/error.h"
#include "io/checksum.h"

namespace fathom {
namespace {

template <class T>
void append(std::vector<T>& all, std::span<const T> more) {
  all.insert(all.end(), more.begin(), more.end());
}

template <class T>
std::span<const T> part_of(const std::vector<T>& all, std::int64_t begin, std::int64_t end) {
  return std::span(all).subspan(static_cast<std::size_t>(begin),
                                static_cast<std::size_t>(end - begin));
}

template <class Values>
void hash_values(Checksum& checksum, const Values& values) {
  checksum.update(std::as_bytes(std::span(values)));
}

}  // namespace

void ExampleSet::add(const Example& example) {
  require(example.tokens.size() == example.learned.size(), "{} tokens with {} marks",
          example.tokens.size(), example.learned.size());
  append(tokens_, example.tokens);
  append(learned_, example.learned);
  begins_.push_back(num_tokens());
  if (example.tokens.empty()) return;
  num_targets_ += std::count_if(example.learned.begin() + 1, example.learned.end(),
                                [](std::uint8_t mark) { return mark != 0; });
}

Example ExampleSet::operator[](std::int64_t index) const {
  const auto i = static_cast<std::size_t>(index);
  return {part_of(tokens_, begins_.at(i), begins_.at(i + 1)),
          part_of(learned_, begins_.at(i), begins_.at(i + 1))};
}

std::uint64_t ExampleSet::hash() const {
  Checksum checksum;
  hash_values(checksum, begins_);
  hash_values(checksum, tokens_);
  hash_values(checksum, learned_);
  return checksum.value();
}

void PreferenceSet::add(const PreferencePair& pair) {
  parts_.push_back({std::ssize(tokens_), std::ssize(pair.prompt), std::ssize(pair.chosen),
                    std::ssize(pair.rejected)});
  for (const auto& part : {pair.prompt, pair.chosen, pair.rejected}) append(tokens_, part);
}

PreferencePair PreferenceSet::operator[](std::int64_t index) const {
  const Parts& p = parts_.at(static_cast<std::size_t>(index));
  const std::int64_t chosen = p.begin + p.prompt, rejected = chosen + p.chosen;
  return {part_of(tokens_, p.begin, chosen), part_of(tokens_, chosen, rejected),
          part_of(tokens_, rejected, rejected + p.rejected)};
}

std::uint64_t PreferenceSet::hash_of(std::int64_t index) const {
  const Parts& p = parts_.at(static_cast<std::size_t>(index));
  const std::int64_t sizes[] = {p.prompt, p.chosen, p.rejected};
  Checksum checksum;
  hash_values(checksum, sizes);
  hash_values(checksum, part_of(tokens_, p.begin, p.begin + p.prompt + p.chosen + p.rejected));
  return checksum.value();
}

std::uint64_t PreferenceSet::hash() const {
  Checksum checksum;
  for (std::int64_t i = 0; i < size(); ++i) {
    const std::uint64_t pair = hash_of(i);
    hash_values(checksum, std::span(&pair, 1));
  }
  return checksum.value();
}

}  // namespace fathom
