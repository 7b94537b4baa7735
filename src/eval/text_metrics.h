// Compares a generated answer with the right ones.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "eval/pattern.h"
#include "eval/task_config.h"

namespace fathom::eval {

// Python's str.strip(), str.lstrip() and str.lower().
std::string strip_blanks(std::string_view text);
std::string_view without_first_blanks(std::string_view text);
std::string_view without_last_blanks(std::string_view text);
std::string small_letters(std::string_view text);
// Python's string.punctuation: that of ASCII.
bool is_punctuation(char c);

class AnswerComparison {
 public:
  // `where` begins messages. Throws an input Error for what is no regular expression.
  AnswerComparison(const GenerateConfig& config, const std::string& where);
  // 1 when the answer is right, 0 when it is not.
  double score(const std::string& answer, const std::vector<std::string>& golds) const;

 private:
  std::string compared(std::string text) const;

  TextMetric metric_;
  std::vector<Pattern> ignore_;
  bool ignore_case_, ignore_punctuation_;
};

}  // namespace fathom::eval
