#include "text/html/references.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "text/html/reference_names.h"
#include "text/utf8.h"

namespace fathom::html {
namespace {

constexpr std::size_t max_named = 8;  // thetasym

// What 0x80 to 0x9f are in windows-1252; 0 for those that are nothing.
constexpr std::array<char16_t, 32> windows_1252 = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

char32_t character_of(std::uint32_t number) {
  if (number >= 0x80 && number < 0xa0 && windows_1252[number - 0x80] != 0) {
    return windows_1252[number - 0x80];
  }
  const bool surrogate = number >= 0xd800 && number < 0xe000;
  return number == 0 || number > 0x10ffff || surrogate ? 0xfffd : number;
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Behind "&#"; returns the length read, 0 when it is no number.
std::size_t append_number(std::string_view text, std::string& out) {
  const bool hex = text.starts_with('x') || text.starts_with('X');
  const char* begin = text.data() + hex;
  std::uint32_t number = 0;
  const auto [end, error] =
      std::from_chars(begin, text.data() + text.size(), number, hex ? 16 : 10);
  if (end == begin) return 0;
  utf8::append(out, error == std::errc() ? character_of(number) : 0xfffd);
  const auto length = static_cast<std::size_t>(end - text.data());
  return length + (text.substr(length).starts_with(';') ? 1 : 0);
}

std::optional<char32_t> character_named(std::string_view name) {
  const auto* found = std::ranges::lower_bound(named_references, name, {}, &NamedReference::name);
  if (found == std::end(named_references) || found->name != name) return std::nullopt;
  return found->character;
}

// The length of the longest name in front of `text` that needs no semicolon; 0 for none.
std::size_t bare_name(std::string_view text) {
  std::size_t length = text.size();
  while (length > 0 && !std::ranges::binary_search(without_semicolon, text.substr(0, length))) {
    --length;
  }
  return length;
}

// Behind "&"; returns the length read, 0 when it is no name.
std::size_t append_named(std::string_view text, std::string& out, ReferencesOf of) {
  std::size_t length = 0;
  while (length < text.size() && length < max_named && is_letter_or_digit(text[length])) ++length;
  const bool ends = text.substr(length).starts_with(';');
  if (const auto whole = character_named(text.substr(0, length)); whole && ends) {
    utf8::append(out, *whole);
    return length + 1;
  }
  const std::size_t bare = bare_name(text.substr(0, length));
  if (bare == 0 || (of == ReferencesOf::attribute && bare < length)) return 0;
  utf8::append(out, character_named(text.substr(0, bare)).value_or(0xfffd));
  return bare;
}

}  // namespace

void append_decoded(std::string_view text, std::string& out, ReferencesOf of) {
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('&'), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    const bool number = text.size() > 1 && text[1] == '#';
    const std::size_t prefix = number ? 2 : 1;
    const std::size_t read =
        number ? append_number(text.substr(2), out) : append_named(text.substr(1), out, of);
    if (read == 0) out += text.substr(0, prefix);
    text.remove_prefix(prefix + read);
  }
}

std::string decoded_attribute(std::string_view value) {
  std::string out;
  append_decoded(value, out, ReferencesOf::attribute);
  return out;
}

void make_spaces(std::string& text, std::size_t begin) {
  std::size_t to = begin;
  for (std::size_t from = begin; from < text.size(); ++to) {
    std::size_t length = 1;
    for (const std::string_view blank : {"\u00a0", "\u3000"}) {
      if (std::string_view(text).substr(from).starts_with(blank)) length = blank.size();
    }
    text[to] = length > 1 ? ' ' : text[from];
    from += length;
  }
  text.resize(to);
}

}  // namespace fathom::html
