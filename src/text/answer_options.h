// Answers offered by letters, as in exams: "A. x", "(B) x", "C) x", "D、x", "E：x".
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace fathom {

struct AnswerOption {
  char letter = 0;        // 'A' to 'H'
  std::size_t begin = 0;  // place in the line
};

// The letter of an option that a line begins with, behind spaces and tabs; 0 for another line.
char option_letter(std::string_view line);

// The first option of this letter at `from` or behind it, at the beginning of the line or behind a
// blank, a closing parenthesis, "？" or "。".
std::optional<AnswerOption> find_option(std::string_view line, char letter, std::size_t from = 0);

}  // namespace fathom
