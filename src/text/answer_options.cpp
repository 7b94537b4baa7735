#include "text/answer_options.h"

#include <algorithm>
#include <array>

#include "text/ascii.h"

namespace fathom {
namespace {

// Whether the points of "B.C." are those of an abbreviation.
bool is_abbreviation(std::string_view after) {
  return after.size() > 2 && after[0] == '.' && ascii::is_letter(after[1]) && after[2] == '.';
}

// Whether an option may begin at `at`: "维生素A、" is none.
bool may_begin_option(std::string_view line, std::size_t at) {
  static constexpr std::array<std::string_view, 7> before = {" ",  "\t", "\u3000", ")",
                                                             "）", "？", "。"};
  return at == 0 || std::ranges::any_of(before, [&](std::string_view end) {
           return line.substr(0, at).ends_with(end);
         });
}

}  // namespace

char option_letter(std::string_view line) {
  while (!line.empty() && (line[0] == ' ' || line[0] == '\t')) line.remove_prefix(1);
  const bool half = line.starts_with('('), full = line.starts_with("（");
  if (half || full) line.remove_prefix(half ? 1 : 3);
  if (line.size() < 2 || line[0] < 'A' || line[0] > 'H') return 0;
  const std::string_view after = line.substr(1);
  for (const std::string_view mark : {")", "）"}) {
    if (after.starts_with(mark)) return line[0];
  }
  for (const std::string_view mark : {".", ":", "、", "．", "："}) {
    if (!after.starts_with(mark)) continue;
    return half || full || is_abbreviation(after) ? '\0' : line[0];
  }
  return 0;
}

std::vector<AnswerOption> find_options(std::string_view line) {
  std::vector<AnswerOption> found;
  const std::size_t indentation = std::min(line.find_first_not_of(" \t"), line.size());
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] < 'A' || line[at] > 'H') continue;
    const std::string_view before = line.substr(0, at);
    const std::size_t begin = at - (before.ends_with('(') ? 1 : before.ends_with("（") ? 3 : 0);
    if (!may_begin_option(line, begin) || option_letter(line.substr(begin)) != line[at]) continue;
    const std::string_view ahead = line.substr(0, begin);
    const bool apart = begin == indentation || ahead.ends_with("  ") || ahead.ends_with('\t') ||
                       ahead.ends_with("\u3000");
    found.push_back({line[at], begin, apart});
  }
  return found;
}

}  // namespace fathom
