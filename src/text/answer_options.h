// Answers offered by letters, as in exams: "A. x", "(B) x", "C) x", "D、x", "E：x".
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace fathom {

struct AnswerOption {
  char letter = 0;        // 'A' to 'H'
  std::size_t begin = 0;  // place in the line
  bool apart = false;     // begins the line, or is behind two blanks, a tab or U+3000
};

// The letter of an option that a line begins with, behind spaces and tabs; 0 for another line.
char option_letter(std::string_view line);

// All options of a line, in their order: at its beginning or behind a blank, a closing parenthesis,
// "？" or "。".
std::vector<AnswerOption> find_options(std::string_view line);

}  // namespace fathom
