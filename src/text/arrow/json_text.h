// Texts and numbers with a fraction as JSON. Used by parquet_module.cpp alone.
#pragma once

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

namespace fathom {

// A quoted string. Bytes that are no UTF-8 stay as they are: readers of rows repair or refuse them.
inline void write_json_text(std::string_view text, std::string& json) {
  json += '"';
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    json += text.substr(copied, i - copied);
    copied = i + 1;
    if (c >= 0x20) {
      json += '\\';
      json += text[i];
    } else {
      fmt::format_to(std::back_inserter(json), "\\u{:04x}", c);
    }
  }
  json += text.substr(copied);
  json += '"';
}

// The shortest number that is read as the same value, with a fraction or an exponent; null for a
// value that is not finite.
template <class Float>
void write_json_float(Float value, std::string& json) {
  if (!std::isfinite(value)) {
    json += "null";
    return;
  }
  char digits[32];
  const std::string_view text(digits, std::to_chars(digits, std::end(digits), value).ptr);
  json += text;
  if (text.find_first_of(".e") == std::string_view::npos) json += ".0";
}

}  // namespace fathom
