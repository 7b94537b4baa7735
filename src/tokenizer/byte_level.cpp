#include "tokenizer/byte_level.h"

#include "text/utf8.h"

namespace fathom::tokenizer {

const std::array<char32_t, 256>& byte_to_char() {
  static const auto table = [] {
    std::array<char32_t, 256> chars{};
    char32_t next = 256;
    for (char32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xff && b != 0xad);
      chars[b] = printable ? b : next++;
    }
    return chars;
  }();
  return table;
}

int char_to_byte(char32_t c) {
  static const auto table = [] {
    std::array<short, 512> bytes{};
    bytes.fill(-1);
    for (int b = 0; b < 256; ++b) bytes[byte_to_char()[b]] = static_cast<short>(b);
    return bytes;
  }();
  return c < table.size() ? table[c] : -1;
}

void append_byte_level(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) {
    utf8::append(out, byte_to_char()[static_cast<unsigned char>(byte)]);
  }
}

std::optional<std::string> from_byte_level(std::string_view token) {
  std::string bytes;
  const char* p = token.data();
  const char* const end = p + token.size();
  while (p < end) {
    const int byte = char_to_byte(utf8::next(p));
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

std::optional<unsigned char> byte_of_fallback(std::string_view token) {
  if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return std::nullopt;
  unsigned byte = 0;
  for (const char c : token.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'A' && c <= 'F')) return std::nullopt;
    byte = byte * 16 + static_cast<unsigned>(digit ? c - '0' : c - 'A' + 10);
  }
  return static_cast<unsigned char>(byte);
}

}  // namespace fathom::tokenizer
