// Tells multiple-choice exams from other conversations.
#include <cctype>

#include "align/conversation_rows.h"

namespace fathom {
namespace {

// The letter of an option such as "A. x", "(B) x", "C) x", "D、x" or "E：x"; 0 for another line.
char option_letter(std::string_view line) {
  while (!line.empty() && (line[0] == ' ' || line[0] == '\t')) line.remove_prefix(1);
  const bool bracket = line.starts_with('(');
  if (bracket) line.remove_prefix(1);
  if (line.size() < 2 || line[0] < 'A' || line[0] > 'H') return 0;
  const std::string_view after = line.substr(1);
  for (const std::string_view mark : {".", ")", ":", "、", "．", "：", "）"}) {
    if (after.starts_with(mark)) return !bracket || mark == ")" ? line[0] : '\0';
  }
  return 0;
}

// How many options A, B, C ... stand on lines that follow in order.
int options_in(std::string_view text) {
  int options = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (option_letter(text.substr(0, end)) == 'A' + options) ++options;
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
  return options;
}

}  // namespace

bool is_multiple_choice(const Conversation& conversation) {
  const Message *question = nullptr, *answer = nullptr;
  for (const Message& message : conversation.messages) {
    if (message.role == "user") question = &message;
    if (message.role == "assistant") answer = &message;
  }
  if (!question || !answer) return false;
  const int options = options_in(question->content());
  if (options < 3) return false;
  // "B", "B. x", "(B)", "The answer is B."
  std::string_view said = answer->content();
  for (const std::string_view opening : {"The answer is ", "Answer: ", "答案：", "答案是"}) {
    if (said.starts_with(opening)) said.remove_prefix(opening.size());
  }
  if (said.starts_with('(')) said.remove_prefix(1);
  const bool letter = !said.empty() && said[0] >= 'A' && said[0] < 'A' + options;
  return letter && (said.size() == 1 || !std::isalnum(static_cast<unsigned char>(said[1])));
}

}  // namespace fathom
