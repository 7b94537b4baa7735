#include "text/charset.h"

#include <iconv.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
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

struct Label {
  std::string_view label, encoding;
};

constexpr Label labels[] = {{"utf-8", "UTF-8"},
                            {"utf8", "UTF-8"},
                            {"unicode-1-1-utf-8", "UTF-8"},
                            {"unicode11utf8", "UTF-8"},
                            {"unicode20utf8", "UTF-8"},
                            {"x-unicode20utf8", "UTF-8"},
                            {"utf-16", "UTF-8"},  // in a page that could be read up to here
                            {"utf-16le", "UTF-8"},
                            {"utf-16be", "UTF-8"},
                            {"unicode", "UTF-8"},
                            {"gb2312", "GB18030"},
                            {"gb_2312", "GB18030"},
                            {"gb_2312-80", "GB18030"},
                            {"csgb2312", "GB18030"},
                            {"csiso58gb231280", "GB18030"},
                            {"iso-ir-58", "GB18030"},
                            {"chinese", "GB18030"},
                            {"gbk", "GB18030"},
                            {"gb18030", "GB18030"},
                            {"x-gbk", "GB18030"},
                            {"hz-gb-2312", "HZ"},
                            {"big5", "BIG5-HKSCS"},
                            {"big5-hkscs", "BIG5-HKSCS"},
                            {"cn-big5", "BIG5-HKSCS"},
                            {"csbig5", "BIG5-HKSCS"},
                            {"x-x-big5", "BIG5-HKSCS"},
                            {"shift_jis", "CP932"},
                            {"shift-jis", "CP932"},
                            {"csshiftjis", "CP932"},
                            {"ms_kanji", "CP932"},
                            {"sjis", "CP932"},
                            {"x-sjis", "CP932"},
                            {"ms932", "CP932"},
                            {"windows-31j", "CP932"},
                            {"euc-jp", "EUC-JP-MS"},
                            {"x-euc-jp", "EUC-JP-MS"},
                            {"cseucpkdfmtjapanese", "EUC-JP-MS"},
                            {"iso-2022-jp", "ISO-2022-JP"},
                            {"csiso2022jp", "ISO-2022-JP"},
                            {"euc-kr", "CP949"},
                            {"cseuckr", "CP949"},
                            {"csksc56011987", "CP949"},
                            {"iso-ir-149", "CP949"},
                            {"korean", "CP949"},
                            {"ks_c_5601-1987", "CP949"},
                            {"ks_c_5601-1989", "CP949"},
                            {"ksc5601", "CP949"},
                            {"ksc_5601", "CP949"},
                            {"windows-949", "CP949"},
                            {"ascii", "WINDOWS-1252"},
                            {"us-ascii", "WINDOWS-1252"},
                            {"ansi_x3.4-1968", "WINDOWS-1252"},
                            {"cp819", "WINDOWS-1252"},
                            {"ibm819", "WINDOWS-1252"},
                            {"iso-ir-100", "WINDOWS-1252"},
                            {"latin1", "WINDOWS-1252"},
                            {"latin-1", "WINDOWS-1252"},
                            {"l1", "WINDOWS-1252"},
                            {"latin2", "ISO-8859-2"},
                            {"l2", "ISO-8859-2"},
                            {"latin3", "ISO-8859-3"},
                            {"l3", "ISO-8859-3"},
                            {"latin4", "ISO-8859-4"},
                            {"l4", "ISO-8859-4"},
                            {"latin5", "WINDOWS-1254"},
                            {"l5", "WINDOWS-1254"},
                            {"latin6", "ISO-8859-10"},
                            {"l6", "ISO-8859-10"},
                            {"l9", "ISO-8859-15"},
                            {"cyrillic", "ISO-8859-5"},
                            {"arabic", "ISO-8859-6"},
                            {"asmo-708", "ISO-8859-6"},
                            {"ecma-114", "ISO-8859-6"},
                            {"greek", "ISO-8859-7"},
                            {"greek8", "ISO-8859-7"},
                            {"ecma-118", "ISO-8859-7"},
                            {"elot_928", "ISO-8859-7"},
                            {"hebrew", "ISO-8859-8"},
                            {"visual", "ISO-8859-8"},
                            {"logical", "ISO-8859-8"},
                            {"csiso88598e", "ISO-8859-8"},
                            {"csiso88598i", "ISO-8859-8"},
                            {"tis-620", "CP874"},
                            {"dos-874", "CP874"},
                            {"windows-874", "CP874"},
                            {"koi8-r", "KOI8-R"},
                            {"koi8_r", "KOI8-R"},
                            {"koi8", "KOI8-R"},
                            {"koi", "KOI8-R"},
                            {"cskoi8r", "KOI8-R"},
                            {"koi8-u", "KOI8-U"},
                            {"koi8-ru", "KOI8-U"},
                            {"866", "IBM866"},
                            {"cp866", "IBM866"},
                            {"ibm866", "IBM866"},
                            {"csibm866", "IBM866"},
                            {"mac", "MACINTOSH"},
                            {"macintosh", "MACINTOSH"},
                            {"csmacintosh", "MACINTOSH"},
                            {"x-mac-roman", "MACINTOSH"},
                            {"x-mac-cyrillic", "MAC-CYRILLIC"},
                            {"x-mac-ukrainian", "MAC-CYRILLIC"}};

// windows-1250 to windows-1258, also as "cp1250" and "x-cp1250".
std::string_view windows_numbered(std::string_view label) {
  static constexpr std::string_view names[] = {"WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252",
                                               "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255",
                                               "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258"};
  for (const std::string_view beginning : {"windows-", "x-cp", "cp"}) {
    if (!label.starts_with(beginning)) continue;
    const auto* found = std::ranges::find(names, label.substr(beginning.size()),
                                          [](std::string_view name) { return name.substr(8); });
    return found == std::end(names) ? std::string_view() : *found;
  }
  return {};
}

void skip_hyphen(std::string_view& text) {
  if (text.starts_with('-') || text.starts_with('_')) text.remove_prefix(1);
}

// "iso-8859-2", "iso8859-2", "iso88592", "iso_8859-2:1987", "iso-8859-8-i".
std::string_view iso_numbered(std::string_view label) {
  static constexpr std::string_view names[] = {
      "WINDOWS-1252", "ISO-8859-2",  "ISO-8859-3",   "ISO-8859-4",  "ISO-8859-5", "ISO-8859-6",
      "ISO-8859-7",   "ISO-8859-8",  "WINDOWS-1254", "ISO-8859-10", "CP874",      "",
      "ISO-8859-13",  "ISO-8859-14", "ISO-8859-15",  "ISO-8859-16"};
  for (const std::string_view part : {"iso", "8859"}) {
    if (!label.starts_with(part)) return {};
    label.remove_prefix(part.size());
    skip_hyphen(label);
  }
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), number);
  if (error != std::errc() || number < 1 || number > std::size(names)) return {};
  label.remove_prefix(static_cast<std::size_t>(end - label.data()));
  const bool known = label.empty() || label == "-i" || label == "-e" || label.starts_with(':');
  return known ? names[number - 1] : std::string_view();
}

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

std::string_view encoding_named(std::string_view label) {
  const std::size_t begin = std::min(label.find_first_not_of(" \t\r\n\f"), label.size());
  label.remove_prefix(begin);
  label = label.substr(0, label.find_last_not_of(" \t\r\n\f") + 1);
  if (label.size() > 32) return {};
  const std::string name = ascii::lowered(label);
  const auto* found = std::ranges::find(labels, name, &Label::label);
  if (found != std::end(labels)) return found->encoding;
  const std::string_view windows = windows_numbered(name);
  return windows.empty() ? iso_numbered(name) : windows;
}

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
