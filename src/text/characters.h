// Properties of characters that words are made by, from one table, so that text at hundreds of
// megabytes a second can be cut into words and compared.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "text/utf8.h"

namespace fathom {

enum class CharacterKind : std::uint8_t {
  blank,        // Unicode's White_Space, and control characters
  punctuation,  // punctuation, symbols, and what is no other kind
  letter,       // letters and marks of scripts that write words with blanks between them
  digit,        // Unicode's numbers
  ideograph,    // Han and Kana: scripts without blanks, where a character is counted as a word
};

struct Character {
  char32_t folded;  // small letter, half width
  CharacterKind kind;
};

// By code point; those beyond the table's end are asked of Unicode's data.
class CharacterTable {
 public:
  static const CharacterTable& get();  // made at the first call

  Character operator[](char32_t c) const {
    if (c < entries_.size()) return {entries_[c] & 0x1fffff, kind_of(entries_[c])};
    return beyond(c);
  }

 private:
  CharacterTable();
  static CharacterKind kind_of(std::uint32_t entry) {
    return static_cast<CharacterKind>(entry >> 24);
  }
  static Character beyond(char32_t c);

  std::array<std::uint32_t, 0x10000> entries_;  // folded, and the kind in the top 8 bits
};

// Folds valid UTF-8 for comparisons: small letters, half width instead of full width, one space
// for any run of blanks, none at both ends. `out` is overwritten.
void fold_text(std::string_view text, std::string& out);

}  // namespace fathom
