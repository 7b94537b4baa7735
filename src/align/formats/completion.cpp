// Rows of a prompt and a completion, each a text, a message or messages.
#include <algorithm>

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

constexpr std::string_view human = "\n\nHuman:", assistant = "\n\nAssistant:";

// Where the next turn begins.
std::size_t next_turn(std::string_view text, std::size_t from) {
  return std::min({text.find(human, from), text.find(assistant, from), text.size()});
}

}  // namespace

std::vector<Message> marked_dialogue(const std::string& text) {
  std::vector<Message> messages;
  if (!text.starts_with(human)) return messages;
  for (std::size_t at = 0; at < text.size();) {
    const bool asks = std::string_view(text).substr(at).starts_with(human);
    at += (asks ? human : assistant).size();
    const std::size_t end = next_turn(text, at);
    if (text[at] == ' ') ++at;
    // A prompt ends with the opening of the answer.
    if (at >= end && end == text.size() && !asks) break;
    messages.push_back(make_message(asks ? "user" : "assistant", text.substr(at, end - at)));
    at = end;
  }
  return messages;
}

Conversation prompt_row(const RowJson& row, const std::string& key) {
  const RowJson& prompt = row[key];
  Conversation conversation;
  with_location("'" + key + "'", [&] {
    if (prompt.is_string()) conversation.messages = marked_dialogue(prompt);
    if (conversation.messages.empty()) conversation.messages = text_or_messages(prompt, "user");
  });
  add_system(row, conversation.messages);
  conversation.tools = read_tools(row);
  return conversation;
}

std::vector<Message> answer_of(const RowJson& answer) {
  return text_or_messages(answer, "assistant");
}

Conversation completion_row(const RowJson& row, const std::string& prompt,
                            const std::string& answer) {
  Conversation conversation = prompt_row(row, prompt);
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
