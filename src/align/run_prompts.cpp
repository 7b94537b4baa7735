#include "align/run_prompts.h"

#include "align/conversation_rows.h"

namespace fathom {

Conversation question(const std::string& text) {
  return {{make_message("user", text)}, {}};
}

Conversation conversation_of(const RepetitionPrompt& prompt) {
  if (prompt.conversation.empty()) return question(prompt.text);
  Conversation conversation = conversations_of(RowJson::parse(prompt.conversation)).front();
  std::vector<Message>& messages = conversation.messages;
  if (!messages.empty() && messages.back().role == "assistant") messages.pop_back();
  return conversation;
}

}  // namespace fathom
