// Conversations: what chat templates render and readers of chat data produce.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

struct Message {
  std::string role;
  // What a template sees of the message besides its role: "content", "tool_calls", "name", ...
  nlohmann::ordered_json fields;
  // Of an assistant's message: whether its tokens are learned.
  bool learned = true;

  // The content; empty when it is absent, null or no text.
  std::string_view content() const;
  bool calls_tools() const;
};

// A message with nothing but a role and a text.
Message make_message(std::string role, std::string content);

// Whether it instructs the assistant: its role is system or developer.
bool is_system(const Message& message);

struct Conversation {
  std::vector<Message> messages;
  nlohmann::ordered_json tools;  // an array of tools' descriptions, or null
};

// Whether a conversation is learned, and so needs an assistant's message, or asks for an answer.
enum class ConversationUse { training, prompt };

// Throws an input Error with the first problem, such as "message 3: unknown role 'narrator';
// use system, user, assistant or tool". The messages are system or developer ones first, then
// users' and assistant's in turn (either may begin), with tools' results after an assistant's
// message that calls tools. Only an assistant that calls tools, and a tool, may say nothing.
void check_conversation(const Conversation& conversation, ConversationUse use);

}  // namespace fathom
