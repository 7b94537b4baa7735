#include "eval/text_metrics.h"

#include <utf8proc.h>

#include <algorithm>

#include "align/jinja/text_functions.h"
#include "text/utf8.h"

namespace fathom::eval {

bool is_punctuation(char c) {
  return std::string_view("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~").find(c) != std::string_view::npos;
}

std::string_view without_first_blanks(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const char* const character = p;
    if (!jinja::is_space(utf8::next(p))) return text.substr(static_cast<std::size_t>(character - text.data()));
  }
  return {};
}

std::string_view without_last_blanks(std::string_view text) {
  std::size_t end = 0;  // of the last character that is no blank
  for (const char* p = text.data(); p < text.data() + text.size();) {
    if (!jinja::is_space(utf8::next(p))) end = static_cast<std::size_t>(p - text.data());
  }
  return text.substr(0, end);
}

std::string strip_blanks(std::string_view text) {
  return std::string(without_last_blanks(without_first_blanks(text)));
}

std::string small_letters(std::string_view text) {
  std::string out;
  for (const char* p = text.data(); p < text.data() + text.size();) {
    utf8::append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(utf8::next(p)))));
  }
  return out;
}

AnswerComparison::AnswerComparison(const GenerateConfig& config, const std::string& where)
    : metric_(config.metric),
      ignore_case_(config.ignore_case),
      ignore_punctuation_(config.ignore_punctuation) {
  for (const std::string& expression : config.ignore) ignore_.emplace_back(expression, where + ": ignore");
}

std::string AnswerComparison::compared(std::string text) const {
  for (const Pattern& pattern : ignore_) text = pattern.replace(text, "");
  if (ignore_case_) text = small_letters(text);
  if (ignore_punctuation_) std::erase_if(text, is_punctuation);
  return text;
}

double AnswerComparison::score(const std::string& answer, const std::vector<std::string>& golds) const {
  const std::string given = compared(answer);
  return std::ranges::any_of(golds, [&](const std::string& gold) {
    const std::string right = compared(gold);
    return metric_ == TextMetric::exact_match ? given == right : given.find(right) != std::string::npos;
  });
}

}  // namespace fathom::eval
