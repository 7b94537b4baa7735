#include "align/conversation.h"

#include <algorithm>

#include "core/error.h"

namespace fathom {
namespace {

// Python's str.isspace() of ASCII; enough to tell a message that says nothing.
bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

void check_message(const Message& message) {
  constexpr std::string_view roles[] = {"system", "developer", "user", "assistant", "tool"};
  if (std::ranges::find(roles, message.role) == std::end(roles)) {
    fail_input("unknown role '{}'; use system, user, assistant or tool", message.role);
  }
  const auto content = message.fields.find("content");
  const bool absent = content == message.fields.end() || content->is_null();
  if (!absent && !content->is_string()) {
    fail_input("the content is {}, not a text; a language model reads nothing else",
               content->type_name());
  }
  const bool may_be_silent = message.calls_tools() || (message.role == "tool" && !absent);
  if (may_be_silent || !is_blank(message.content())) return;
  fail_input("the content of the {} is {}; give it a text or leave out the row", message.role,
             absent ? "missing" : "empty");
}

void check_order(const Message* before, const Message& message) {
  const bool first = !before || is_system(*before);
  if (is_system(message)) {
    if (before && !is_system(*before)) {
      fail_input("a {} message after the {}'s; system prompts come first", message.role,
                 before->role);
    }
    if (before && before->role == message.role) fail_input("a second {} message", message.role);
  } else if (message.role == "tool") {
    if (first || !(before->calls_tools() || before->role == "tool")) {
      fail_input("a tool's result does not follow an assistant's message with tool_calls");
    }
  } else if (!first && before->role == message.role && !before->calls_tools()) {
    fail_input("two {} messages follow each other; join them or leave out the row", message.role);
  }
}

}  // namespace

bool is_system(const Message& message) {
  return message.role == "system" || message.role == "developer";
}

std::string_view Message::content() const {
  const auto found = fields.find("content");
  if (found == fields.end() || !found->is_string()) return {};
  return found->get_ref<const std::string&>();
}

bool Message::calls_tools() const {
  const auto calls = fields.find("tool_calls");
  return role == "assistant" && calls != fields.end() && calls->is_array() && !calls->empty();
}

Message make_message(std::string role, std::string content) {
  return {std::move(role), {{"content", std::move(content)}}};
}

void check_conversation(const Conversation& conversation, ConversationUse use) {
  if (conversation.messages.empty()) fail_input("the conversation has no messages");
  const Message* before = nullptr;
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    const Message& message = conversation.messages[i];
    with_location(fmt::format("message {}", i + 1), [&] {
      check_message(message);
      check_order(before, message);
    });
    before = &message;
  }
  const bool answered = std::ranges::any_of(
      conversation.messages, [](const Message& m) { return m.role == "assistant" && m.learned; });
  if (use == ConversationUse::training && !answered) {
    fail_input("there is no assistant's message to learn");
  }
}

}  // namespace fathom
