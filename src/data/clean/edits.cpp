#include "data/clean/edits.h"

#include <algorithm>
#include <array>

#include "data/clean/text_facts.h"
#include "text/characters.h"
#include "text/normal_form.h"

namespace fathom::clean {
namespace {

bool is_invisible(char32_t c) {
  return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0 && c != 0x85) ||
         c == 0xad || c == 0x200b || c == 0x2060 || c == 0xfeff;
}

bool contains_any(std::string_view text, std::span<const std::string_view> parts) {
  return std::ranges::any_of(
      parts, [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

bool ends_with_any(std::string_view text, std::span<const std::string_view> ends) {
  return std::ranges::any_of(ends, [&](std::string_view end) { return text.ends_with(end); });
}

// "[3]", "[edit]" and "[citation needed]" cut out.
std::string without_citations(std::string_view line) {
  std::string out;
  while (!line.empty()) {
    const std::size_t open = std::min(line.find('['), line.size());
    out += line.substr(0, open);
    line.remove_prefix(open);
    if (line.empty()) break;
    // What is inside has no bracket, so that each byte is looked at once.
    const std::size_t close = line.find_first_of("[]", 1);
    const bool closed = close != std::string_view::npos && line[close] == ']';
    const std::string_view inside = closed ? line.substr(1, close - 1) : std::string_view();
    const bool number = std::ranges::all_of(inside, [](char c) { return c >= '0' && c <= '9'; });
    if (closed && (number || inside == "edit" || inside == "citation needed")) {
      line.remove_prefix(close + 1);
    } else {
      out += '[';
      line.remove_prefix(1);
    }
  }
  return out;
}

bool stays_in_c4(std::string_view line) {
  static constexpr std::array<std::string_view, 11> ends = {".",  "?",  "!", "\"", "。", "．",
                                                            "！", "？", "।", "؟",  "۔"};
  static constexpr std::array<std::string_view, 7> phrases = {
      "javascript",   "terms of use",   "privacy policy", "cookie policy",
      "uses cookies", "use of cookies", "use cookies"};
  if (!ends_with_any(line, ends) || line.ends_with("...")) return false;
  std::size_t words = 0;
  for (std::string_view rest = line; !rest.empty();) {
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    if (end > 1000) return false;
    words += end > 0;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (words < 5) return false;
  std::string folded;
  fold_text(line, folded);
  return !contains_any(folded, phrases);
}

bool stays_in_chinese_c4(std::string_view line) {
  static constexpr std::array<std::string_view, 7> ends = {"。", "．", "！", "？", "…", "”", "："};
  static constexpr std::array<std::string_view, 3> broken = {"□", "■", "\ufffd"};
  const auto characters = std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; });
  return characters >= 5 && ends_with_any(line, ends) && !contains_any(line, broken);
}

}  // namespace

std::string normalised(std::string_view text) {
  const std::string composed = normal_form_c(text);
  std::string out;
  out.reserve(composed.size());
  int line_ends = 2;             // those at the beginning are dropped
  std::size_t line_content = 0;  // length of `out` without blanks at its end
  for (const char *p = composed.data(), *end = p + composed.size(); p < end;) {
    const char* begin = p;
    char32_t c = utf8::next(p);
    if (c == '\r') {
      if (p < end && *p == '\n') continue;
      c = '\n';
    }
    if (c == 0x85 || c == 0x2028 || c == 0x2029) c = '\n';
    if (c == '\n') {
      out.resize(line_content);
      if (line_ends < 2 && !out.empty()) out += '\n';
      line_ends = std::min(line_ends + 1, 2);
      line_content = out.size();
      continue;
    }
    if (is_invisible(c)) continue;
    out.append(begin, p);
    if (utf8::is_space(c)) continue;
    line_ends = 0;
    line_content = out.size();
  }
  out.resize(line_content);
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

std::string filtered_lines(std::string_view text, LineRules rules, std::int64_t& dropped) {
  dropped = 0;
  if (rules == LineRules::off) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(trimmed(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (rules == LineRules::c4) line = without_citations(line);
    const bool stays = rules == LineRules::c4 ? stays_in_c4(line) : stays_in_chinese_c4(line);
    if (!stays) {
      dropped += !line.empty();
      continue;
    }
    if (!out.empty()) out += '\n';
    out += line;
  }
  return out;
}

}  // namespace fathom::clean
