#include "data/dedup/shingles.h"

#include <algorithm>
#include <array>
#include <utility>

#include "data/token_hashes.h"

namespace fathom::dedup {
namespace {

constexpr std::uint64_t base = 0x9e3779b97f4a7c15u;

// Mixes all bits of `hash` into the upper half (the finaliser of MurmurHash3).
std::uint32_t mixed(std::uint64_t hash) {
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
  return static_cast<std::uint32_t>(hash >> 32);
}

// Sorts and removes repetitions. Radix sort by 11 bits beats std::sort from some hundreds on.
void sort_unique(std::vector<std::uint32_t>& values, std::vector<std::uint32_t>& scratch) {
  constexpr std::size_t radix_from = 256;
  if (values.size() < radix_from) {
    std::ranges::sort(values);
  } else {
    std::array<std::array<std::uint32_t, 2048>, 3> counts{};
    for (const std::uint32_t v : values) {
      ++counts[0][v & 2047], ++counts[1][v >> 11 & 2047], ++counts[2][v >> 22];
    }
    scratch.resize(values.size());
    for (unsigned pass = 0; pass < 3; ++pass) {
      std::uint32_t sum = 0;
      for (std::uint32_t& count : counts[pass]) sum += std::exchange(count, sum);
      for (const std::uint32_t v : values) scratch[counts[pass][v >> 11 * pass & 2047]++] = v;
      values.swap(scratch);
    }
  }
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

Shingler::Shingler(ShingleOptions options) : options_(options) {
  const auto longest = static_cast<std::size_t>(std::max(options.words, options.characters));
  powers_.assign(longest + 1, 1);
  for (std::size_t i = 1; i <= longest; ++i) powers_[i] = powers_[i - 1] * base;
}

void Shingler::cut(std::string_view folded) {
  prefixes_.assign(1, 0);
  ideographs_.clear();
  for_each_token_hash(folded, [&](std::uint64_t hash, bool ideograph, const char*, const char*) {
    prefixes_.push_back(prefixes_.back() * base + hash);
    ideographs_.push_back(ideograph);
  });
}

const std::vector<std::uint32_t>& Shingler::shingles(std::string_view folded) {
  cut(folded);
  shingles_.clear();
  const std::size_t tokens = ideographs_.size();
  const std::int64_t whole = options_.words * options_.characters;
  const auto weight = [&](std::size_t i) {
    return ideographs_[i] ? options_.words : options_.characters;
  };
  std::int64_t sum = 0;
  for (std::size_t begin = 0, end = 0; begin < tokens; ++begin) {
    while (sum < whole && end < tokens) sum += weight(end++);
    if (sum < whole) break;
    shingles_.push_back(mixed(prefixes_[end] - prefixes_[begin] * powers_[end - begin]));
    sum -= weight(begin);
  }
  if (shingles_.empty() && tokens > 0) shingles_.push_back(mixed(prefixes_[tokens]));
  sort_unique(shingles_, scratch_);
  return shingles_;
}

}  // namespace fathom::dedup
