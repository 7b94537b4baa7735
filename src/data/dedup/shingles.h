// Documents as sets of shingles: overlapping sequences of words, or of characters in scripts that
// have no blanks between words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::dedup {

struct ShingleOptions {
  std::int64_t words = 5;       // a shingle of words alone
  std::int64_t characters = 8;  // a shingle of Han or Kana alone
};

// Makes the set of shingles of a text. A word is a run of letters and digits; an ideograph is a
// token of its own; punctuation and blanks only separate. In mixed text a word counts 1/words and
// an ideograph 1/characters of a shingle, and a shingle is the shortest sequence of tokens that
// counts 1. A text shorter than that is one shingle; one without tokens has none. Not for several
// threads at once.
class Shingler {
 public:
  explicit Shingler(ShingleOptions options);

  // `folded`: a text by fold_text(). Returns the hashes, ascending and different, valid until the
  // next call. Two different shingles of n have equal hashes with probability n² / 2^33.
  const std::vector<std::uint32_t>& shingles(std::string_view folded);

 private:
  void cut(std::string_view folded);

  ShingleOptions options_;
  std::vector<std::uint64_t> powers_;     // of the polynomial's base
  std::vector<std::uint64_t> prefixes_;   // prefixes_[i]: hash of the first i tokens
  std::vector<std::uint8_t> ideographs_;  // 1: the token is one
  std::vector<std::uint32_t> shingles_, scratch_;
};

}  // namespace fathom::dedup
