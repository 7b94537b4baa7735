// Checks and decodes UTF-8. Valid means RFC 3629: no overlong forms, no surrogates, at most
// U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom::utf8 {

// Length of the longest prefix of `text` that is valid UTF-8.
std::size_t valid_prefix(std::string_view text);

// Length of the invalid bytes at the beginning of `text`, up to the next valid character; 0
// when `text` begins with a valid character or is empty.
std::size_t invalid_prefix(std::string_view text);

// Length of an incomplete character at the end of `text` (0 to 3).
std::size_t incomplete_suffix(std::string_view text);

// Replaces each byte that begins no character, and each character that is cut short, by
// U+FFFD. Returns the number of bytes replaced.
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

// Unicode's property White_Space, which added tokens with lstrip or rstrip remove.
bool is_space(char32_t c);
// Unicode's \w: alphabetic characters, marks, decimal digits, connectors and joiners.
bool is_word(char32_t c);
// The categories Nd, Nl and No, which the Digits step splits off.
bool is_number(char32_t c);

}  // namespace fathom::utf8
