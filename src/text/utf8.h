// UTF-8, as the tokenizer needs it: where valid text ends, one character at a
// time. Valid means RFC 3629: no overlong forms, no surrogates, at most U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom::utf8 {

// Bytes of the longest prefix of `text` that is valid UTF-8.
std::size_t valid_prefix(std::string_view text);

// Bytes of the shortest prefix that no valid text can begin with: 0 when `text`
// begins with a valid character or is empty.
std::size_t invalid_prefix(std::string_view text);

// Bytes at the end of `text` that begin a character without ending it (0 to 3).
std::size_t incomplete_suffix(std::string_view text);

// Puts U+FFFD in place of each broken character: of a byte that begins none, or of a
// character cut short. Returns how many bytes were replaced.
std::size_t replace_invalid(std::string& text);

// Length of the character that starts with `lead`; the text must be valid.
inline std::size_t length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// The character at `*p`, which moves past it; the text must be valid.
inline char32_t next(const char*& p) {
  const auto at = [&](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
  const char32_t lead = at(0);
  char32_t c = lead;
  if (lead < 0x80) {
    p += 1;
  } else if (lead < 0xe0) {
    c = (lead & 0x1f) << 6 | (at(1) & 0x3f);
    p += 2;
  } else if (lead < 0xf0) {
    c = (lead & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    p += 3;
  } else {
    c = (lead & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f);
    p += 4;
  }
  return c;
}

void append(std::string& out, char32_t c);

// White_Space of Unicode: what stripping added tokens removes.
bool is_space(char32_t c);
// Alphabetic characters, marks, decimal digits, connectors and joiners: Unicode's \w.
bool is_word(char32_t c);
// Any of the categories Nd, Nl and No: what the Digits step splits off.
bool is_number(char32_t c);

}  // namespace fathom::utf8
