// Rows of a prompt and a completion, each a text, a message or messages.
#include "align/formats/formats.h"
#include "core/error.h"

namespace fathom::formats {
namespace {

std::vector<Message> text_or_messages(const RowJson& value, const char* role) {
  if (value.is_string()) return {make_message(role, value.get<std::string>())};
  if (value.is_object()) return {read_message(value)};
  if (value.is_array()) return read_messages(value);
  fail_input("is {}, neither a text nor messages", value.type_name());
}

}  // namespace

Conversation prompt_of(const RowJson& prompt) {
  return {text_or_messages(prompt, "user"), nullptr};
}

std::vector<Message> answer_of(const RowJson& answer) {
  return text_or_messages(answer, "assistant");
}

Conversation completion_row(const RowJson& row, const std::string& prompt,
                            const std::string& answer) {
  Conversation conversation;
  with_location("'" + prompt + "'", [&] { conversation = prompt_of(row[prompt]); });
  conversation.tools = read_tools(row);
  // Answers in the prompt are given, not learned.
  for (Message& message : conversation.messages) message.learned = false;
  with_location("'" + answer + "'", [&] {
    for (Message& message : answer_of(row[answer])) {
      conversation.messages.push_back(std::move(message));
    }
  });
  return conversation;
}

}  // namespace fathom::formats
