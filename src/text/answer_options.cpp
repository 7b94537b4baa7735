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

std::optional<AnswerOption> find_option(std::string_view line, char letter, std::size_t from) {
  for (std::size_t at = from; (at = line.find(letter, at)) != std::string_view::npos; ++at) {
    std::size_t begin = at;
    if (begin > 0 && line[begin - 1] == '(') {
      --begin;
    } else if (line.substr(0, begin).ends_with("（")) {
      begin -= 3;
    }
    if (begin >= from && may_begin_option(line, begin) &&
        option_letter(line.substr(begin)) == letter) {
      return AnswerOption{letter, begin};
    }
  }
  return std::nullopt;
}

}  // namespace fathom
