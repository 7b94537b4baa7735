#include "text/script.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "text/utf8.h"

namespace fathom {
namespace {

struct Script {
  std::string_view name;
  char32_t first, last;
};

constexpr std::array<Script, 13> scripts = {{
    {"Latin", 'A', 0x24f},
    {"Greek", 0x370, 0x3ff},
    {"Cyrillic", 0x400, 0x52f},
    {"Hebrew", 0x590, 0x5ff},
    {"Arabic", 0x600, 0x6ff},
    {"Devanagari", 0x900, 0x97f},
    {"Thai", 0xe00, 0xe7f},
    {"Kana", 0x3041, 0x30ff},
    {"Han", 0x3400, 0x4dbf},
    {"Han", 0x4e00, 0x9fff},
    {"Hangul", 0xac00, 0xd7a3},
    {"Han", 0x20000, 0x3ffff},
    {"other", 0, 0x10ffff},
}};

}  // namespace

std::string_view prevailing_script(std::string_view text) {
  std::array<std::int64_t, scripts.size()> counts{};
  std::int64_t letters = 0;
  const std::size_t valid = utf8::valid_prefix(text);
  for (const char *p = text.data(), *end = p + valid; p < end;) {
    const char32_t c = utf8::next(p);
    if (!utf8::is_word(c) || utf8::is_number(c) || c == '_') continue;
    const auto found = std::ranges::find_if(
        scripts, [&](const Script& script) { return c >= script.first && c <= script.last; });
    // Letters of Chinese carry about as much as two of an alphabet.
    const std::int64_t weight = found->name == "Han" || found->name == "Kana" ? 2 : 1;
    counts[static_cast<std::size_t>(found - scripts.begin())] += weight;
    letters += weight;
  }
  if (letters == 0) return "none";
  const auto count_of = [&](std::string_view name) {
    std::int64_t count = 0;
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      if (scripts[i].name == name) count += counts[i];
    }
    return count;
  };
  if (count_of("Kana") * 10 >= letters) return "Kana";
  return std::ranges::max_element(scripts, {},
                                  [&](const Script& script) { return count_of(script.name); })
      ->name;
}

}  // namespace fathom
