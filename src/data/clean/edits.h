// Changes to a text before it is measured: pure functions, each by choice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/enum_names.h"

namespace fathom::clean {

// Unicode's NFC, line ends as "\n", no control characters but tabs and line ends, no invisible
// characters (zero-width spaces, byte order marks, soft hyphens), no blanks at line ends, at most
// two line ends in a row, none at both ends of the text. A normalised text stays as it is.
std::string normalised(std::string_view text);

// Which lines are dropped.
enum class LineRules {
  off,
  // Raffel et al., arXiv 1910.10683, section 2.2: a line stays when it ends in . ? ! (or
  // their like in other scripts) or a quotation mark and not in "...", has 5 words or more and none
  // of more than 1000 characters, and mentions neither JavaScript nor one of six phrases about
  // privacy and cookies. Marks of citations such as [3] and [edit] are cut.
  c4,
  // The counterpart for Chinese (shjwudp/c4-dataset-script), and for Japanese, which has no blanks
  // between words either: a line stays when it ends in one of 。．！？…”：, has 5 characters or
  // more, and none of □ ■ and U+FFFD.
  c4_chinese,
};
inline std::span<const std::string_view> enum_names(LineRules) {
  static constexpr std::string_view names[] = {"off", "c4", "c4_chinese"};
  return names;
}

// The lines that stay. `dropped` gets how many do not.
std::string filtered_lines(std::string_view text, LineRules rules, std::int64_t& dropped);

}  // namespace fathom::clean
