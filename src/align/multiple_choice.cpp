// Tells multiple-choice exams from other conversations.
#include <cctype>

#include "align/conversation_rows.h"
#include "text/answer_options.h"

namespace fathom {
namespace {

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
