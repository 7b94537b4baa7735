#include "cli/config_lines.h"

#include <algorithm>

namespace fathom::cli {
namespace {

// The end of a value: of a string its quote, of a list its bracket, of others the next space.
std::size_t end_of_value(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '[' || c == ']')) {
      depth += c == '[' ? 1 : -1;
    } else if (c == ' ' && !quoted && depth == 0) {
      return i;
    }
  }
  return text.size();
}

std::string_view without_spaces(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

}  // namespace

ConfigLine parse_config_line(std::string_view line) {
  line = without_spaces(line);
  const std::size_t key_end = std::min(line.find(' '), line.size());
  const std::string_view rest = without_spaces(line.substr(key_end));
  const std::size_t value_end = end_of_value(rest);
  return {std::string(line.substr(0, key_end)), std::string(rest.substr(0, value_end)),
          std::string(without_spaces(rest.substr(value_end)))};
}

}  // namespace fathom::cli
