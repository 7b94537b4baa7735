#include "align/jinja/string_escapes.h"

#include <charconv>
#include <cstdint>

#include "text/utf8.h"

namespace fathom::jinja {

namespace {

char simple_escape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case '\\':
    case '\'':
    case '"':
      return c;
    default:
      return '\0';
  }
}

// The character of `digits` digits of `base`; false when they are no character.
bool append_code(std::string_view digits, int base, std::string& text) {
  std::uint32_t code = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, code, base);
  if (result.ec != std::errc() || result.ptr != end) return false;
  // Surrogates have no form in UTF-8.
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  utf8::append(text, code);
  return true;
}

}  // namespace

bool resolve_escapes(std::string_view raw, std::string& text) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      text += raw[i];
      continue;
    }
    if (++i == raw.size()) return false;
    const char c = raw[i];
    if (c == '\n') continue;  // a line that goes on
    if (const char simple = simple_escape(c)) {
      text += simple;
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      if (raw.size() - i - 1 < digits || !append_code(raw.substr(i + 1, digits), 16, text)) {
        return false;
      }
      i += digits;
    } else if (c >= '0' && c <= '7') {
      std::size_t digits = 1;
      while (digits < 3 && i + digits < raw.size() && raw[i + digits] >= '0' &&
             raw[i + digits] <= '7') {
        ++digits;
      }
      append_code(raw.substr(i, digits), 8, text);  // at most 0o777, which is a character
      i += digits - 1;
    } else if (c == 'N') {
      return false;  // characters by name
    } else {
      text += '\\';
      text += c;
    }
  }
  return true;
}

}  // namespace fathom::jinja
