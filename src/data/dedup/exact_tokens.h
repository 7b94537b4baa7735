// Text as a sequence of tokens that are equal when their bytes are: words, which are runs of
// letters and digits, ideographs, each alone, and marks, of which equal ones in a row are one
// token, so that a ruler of 80 marks is no sequence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "text/characters.h"

namespace fathom::dedup {

// Calls f(hash, begin, end) for each token of valid UTF-8; `begin` and `end` are places in it.
template <class F>
void for_each_exact_token(std::string_view text, F&& f) {
  constexpr std::uint64_t start = 0x9e3779b97f4a7c15u, factor = 0x00000100000001b3u;
  const CharacterTable& table = CharacterTable::get();
  const auto mixed = [](std::uint64_t hash) {
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
  };
  std::uint64_t word = start;
  const char* begin = nullptr;  // of a word
  const auto end_word = [&](const char* end) {
    if (begin) f(mixed(word), begin, end);
    begin = nullptr;
    word = start;
  };
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const char* const here = p;
    const char32_t c = utf8::next(p);
    const CharacterKind kind = table[c].kind;
    if (kind == CharacterKind::letter || kind == CharacterKind::digit) {
      if (!begin) begin = here;
      word = (word ^ c) * factor;
      continue;
    }
    end_word(here);
    if (kind == CharacterKind::blank) continue;
    std::uint64_t token = (start ^ c) * factor;
    const auto width = static_cast<std::size_t>(p - here);
    const auto again = [&] {
      return static_cast<std::size_t>(end - p) >= width && std::equal(here, here + width, p);
    };
    for (; kind == CharacterKind::punctuation && again(); p += width) token = (token ^ c) * factor;
    f(mixed(token), here, p);
  }
  end_word(end);
}

}  // namespace fathom::dedup
