#include "text/charset.h"

#include <iconv.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "text/ascii.h"
#include "text/encoding.h"
#include "text/html/tokenizer.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// A page names its encoding in its first bytes: browsers look at 1024, and many pages are late.
constexpr std::size_t meta_sample = 4096;
// Fewer characters beyond ASCII may be valid UTF-8 by chance.
constexpr std::size_t min_characters = 16;
constexpr std::size_t max_broken_share = 50;  // at most one in so many characters

class Converter {
 public:
  explicit Converter(const std::string& from) : handle_(iconv_open("UTF-8", from.c_str())) {}
  ~Converter() {
    if (is_open()) iconv_close(handle_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  bool is_open() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  // The text, with U+FFFD for each byte that begins no character; these are counted in `broken`.
  std::string convert(std::string_view bytes, std::size_t& broken) {
    std::string out(bytes.size() + bytes.size() / 2 + 64, '\0');
    std::size_t used = 0;
    char* in = const_cast<char*>(bytes.data());
    std::size_t left = bytes.size();
    while (left > 0) {
      if (out.size() - used < 64) out.resize(2 * out.size());
      char* to = out.data() + used;
      std::size_t room = out.size() - used - 8;
      const bool whole = iconv(handle_, &in, &left, &to, &room) != static_cast<std::size_t>(-1);
      const int problem = errno;
      used = static_cast<std::size_t>(to - out.data());
      if (whole || problem == E2BIG) continue;
      constexpr std::string_view replacement = "\xef\xbf\xbd";
      out.replace(used, replacement.size(), replacement);
      used += replacement.size();
      ++broken;
      ++in;
      --left;
    }
    out.resize(used);
    return out;
  }

 private:
  iconv_t handle_;
};

std::size_t beyond_ascii(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0xc0;  // of UTF-8: the first byte of a character
  }));
}

std::optional<std::string> decode_as(std::string_view bytes, std::string_view encoding,
                                     std::size_t& replaced) {
  if (encoding.empty()) return std::nullopt;
  std::string text;
  std::size_t broken = 0;
  if (encoding == "UTF-8") {
    text = bytes.substr(0, bytes.size() - utf8::incomplete_suffix(bytes));  // of a page cut short
    broken = utf8::replace_invalid(text);
  } else {
    Converter converter{std::string(encoding)};
    if (!converter.is_open()) return std::nullopt;
    text = converter.convert(bytes, broken);
  }
  if (broken > 0 && broken * max_broken_share > beyond_ascii(text)) return std::nullopt;
  replaced = broken;
  return text;
}

// UTF-8 whatever else the page says: by chance no other encoding looks like it so often.
std::optional<std::string> decode_sure_utf8(std::string_view bytes, std::size_t& replaced) {
  if (beyond_ascii(bytes) < min_characters) return std::nullopt;
  return decode_as(bytes, "UTF-8", replaced);
}

// UTF-8 with U+FFFD for what is broken, when that is little: at most every third character beyond
// ASCII, or less than one in 1000 bytes of a page that is in no encoding.
std::optional<std::string> decode_broken_utf8(std::string_view bytes, bool last_resort,
                                              std::size_t& replaced) {
  std::string text(bytes.substr(0, bytes.size() - utf8::incomplete_suffix(bytes)));
  const std::size_t broken = utf8::replace_invalid(text);
  const bool few = last_resort ? broken * 1000 < bytes.size() : 3 * broken <= beyond_ascii(text);
  if (!few) return std::nullopt;
  replaced = broken;
  return text;
}

// What a <meta> at the beginning of the page names.
std::string meta_charset(std::string_view bytes) {
  html::Tokenizer tokens(bytes.substr(0, meta_sample));
  for (html::Token token = tokens.next(); token.kind != html::Token::Kind::end;
       token = tokens.next()) {
    if (token.kind != html::Token::Kind::open || token.tag != html::Tag::meta) continue;
    if (!token.attributes.charset.empty()) return ascii::lowered(token.attributes.charset);
    const std::string content = ascii::lowered(token.attributes.content);
    constexpr std::string_view key = "charset=";
    const std::size_t at = content.find(key);
    if (token.attributes.http_equiv.empty() || at == std::string::npos) continue;
    const std::string_view value = std::string_view(content).substr(at + key.size());
    return std::string(value.substr(0, value.find_first_of(" ;\"'")));
  }
  return {};
}

struct Mark {
  std::string_view bytes, encoding;
};
constexpr Mark marks[] = {
    {"\xef\xbb\xbf", "UTF-8"}, {"\xff\xfe", "UTF-16LE"}, {"\xfe\xff", "UTF-16BE"}};

}  // namespace

std::optional<std::string> decode_page(std::string_view bytes, std::string_view declared,
                                       std::size_t& replaced) {
  for (const Mark& mark : marks) {
    if (!bytes.starts_with(mark.bytes)) continue;
    if (auto text = decode_as(bytes.substr(mark.bytes.size()), mark.encoding, replaced))
      return text;
  }
  if (auto text = decode_sure_utf8(bytes, replaced)) return text;
  if (auto text = decode_as(bytes, encoding_named(declared), replaced)) return text;
  if (auto text = decode_as(bytes, encoding_named(meta_charset(bytes)), replaced)) return text;
  if (auto text = decode_as(bytes, "UTF-8", replaced)) return text;
  const auto likely = likely_encoding(bytes);
  if (!likely) {
    if (auto text = decode_broken_utf8(bytes, false, replaced)) return text;
  }
  const std::string_view encoding = encoding_named(likely.value_or("windows-1252"));
  if (auto text = decode_as(bytes, encoding, replaced)) return text;
  return decode_broken_utf8(bytes, true, replaced);
}

}  // namespace fathom
