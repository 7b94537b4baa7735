// Text as a sequence of hashed tokens for comparisons: words in small letters and half width, and
// ideographs. Punctuation and blanks only separate.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/characters.h"

namespace fathom {

// Calls f(hash, ideograph, begin, end) for each token of valid UTF-8; `begin` and `end` are places
// in the text. A word is a run of letters and digits; an ideograph is a token of its own. The same
// hashes come of a text and of its fold_text().
template <class F>
void for_each_token_hash(std::string_view text, F&& f) {
  constexpr std::uint64_t start = 0x9e3779b97f4a7c15u, factor = 0x00000100000001b3u;
  const CharacterTable& table = CharacterTable::get();
  std::uint64_t word = 0;  // 0 between words
  const char* begin = nullptr;
  const auto end_word = [&](const char* end) {
    if (word != 0) f(word ^ word >> 29, false, begin, end);
    word = 0;
  };
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const char* here = p;
    const Character c = table[utf8::next(p)];
    switch (c.kind) {
      case CharacterKind::letter:
      case CharacterKind::digit:
        if (word == 0) {
          word = start;
          begin = here;
        }
        word = (word ^ c.folded) * factor;
        break;
      case CharacterKind::ideograph: {
        end_word(here);
        const std::uint64_t hash = (start ^ c.folded) * factor;
        f(hash ^ hash >> 29, true, here, p);
        break;
      }
      case CharacterKind::blank:
      case CharacterKind::punctuation:
        end_word(here);
        break;
    }
  }
  end_word(end);
}

}  // namespace fathom
