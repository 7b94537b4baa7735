// The names of encodings: the labels of the WHATWG's Encoding Standard, and a few more that pages
// use.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <string>

#include "text/ascii.h"
#include "text/charset.h"

namespace fathom {
namespace {

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

}  // namespace fathom
