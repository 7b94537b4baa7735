#include "serve/chat_request.h"

#include <algorithm>

namespace fathom::serve {
namespace {

// A string, or a list of parts of type text.
std::string read_content(const JsonValue& content) {
  if (content.is_text()) return content.text();
  std::string text;
  for (const JsonValue& part : content.items()) {
    const std::string& type = part.at("type").text();
    if (type != "text") part.at("type").refuse("is not text: the model reads nothing else");
    text += part.at("text").text();
  }
  return text;
}

Message read_message(const JsonValue& json) {
  Message message;
  message.role = json.at("role").text();
  if (message.role == "tool" || message.role == "function") {
    json.at("role").refuse("is not supported: the server calls no tools");
  }
  for (const std::string& key : json.keys()) {
    const auto value = json.find(key);
    if (!value || key == "role") continue;
    if (key == "content") {
      message.fields["content"] = read_content(*value);
    } else if (key == "name") {
      message.fields["name"] = value->text();
    } else if (!(value->is_array() && value->items().empty())) {
      value->refuse("is not supported: use role, content and name");
    }
  }
  return message;
}

// Fields by which clients ask for what a language model alone does not do.
void refuse_unsupported(RequestFields& fields) {
  const char* const no_tools = "the server calls no tools";
  fields.refuse_present("tools", no_tools);
  fields.refuse_present("functions", no_tools);
  fields.refuse_present("function_call", no_tools);
  if (const auto choice = fields.find("tool_choice")) {
    if (!choice->is_text() || choice->text() != "none") {
      refuse("tool_choice", "'tool_choice' is not supported: {}", no_tools);
    }
  }
  if (const auto format = fields.find("response_format")) {
    about_field("response_format", [&] {
      if (format->at("type").text() == "text") return;
      refuse("response_format", "'response_format' is {}: only the type text is supported",
             format->shown());
    });
  }
  fields.refuse_present("chat_template", "the server's template is used");
}

void read_logprobs(RequestFields& fields, const ApiLimits& limits, ChatRequest& request) {
  request.logprobs = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, limits.max_logprobs);
  if (top && !request.logprobs) refuse("top_logprobs", "'top_logprobs' needs 'logprobs': true");
  request.top_logprobs = top.value_or(0);
}

}  // namespace

Conversation read_messages(const JsonValue& messages) {
  Conversation conversation;
  for (const JsonValue& message : messages.items()) {
    conversation.messages.push_back(read_message(message));
  }
  return conversation;
}

ChatRequest parse_chat_request(std::string_view body, const ApiLimits& limits) {
  RequestFields fields = RequestFields::parse(body);
  ChatRequest request;
  static_cast<GenerationOptions&>(request) = read_generation_options(fields, limits);
  const auto messages = fields.find("messages");
  if (!messages) refuse("messages", "'messages' is missing: give a list of messages");
  request.conversation = about_field("messages", [&] { return read_messages(*messages); });
  request.max_tokens = fields.integer("max_completion_tokens", 1, max_int32);
  const auto older_name = fields.integer("max_tokens", 1, max_int32);
  if (request.max_tokens && older_name && *request.max_tokens != *older_name) {
    refuse("max_tokens", "'max_tokens' is {} and 'max_completion_tokens' is {}: give one of them",
           *older_name, *request.max_tokens);
  }
  if (!request.max_tokens) request.max_tokens = older_name;
  read_logprobs(fields, limits, request);
  refuse_unsupported(fields);
  fields.refuse_unknown();
  return request;
}

std::vector<infer::TextRequest> engine_requests(const ChatRequest& request,
                                                const std::vector<std::int32_t>& prompt,
                                                std::int64_t max_length,
                                                std::optional<std::int32_t> end_of_turn) {
  infer::TextRequest each = text_request(request);
  each.prompt = prompt;
  // A prompt that leaves no room is refused elsewhere, with the lengths.
  each.max_tokens = request.max_tokens.value_or(
      std::max<std::int64_t>({1, max_length - std::ssize(prompt), request.min_tokens}));
  if (request.logprobs) each.log_probabilities = request.top_logprobs;
  if (end_of_turn && !request.ignore_end) each.more_end_tokens = {*end_of_turn};
  std::vector<infer::TextRequest> requests;
  for (std::int64_t i = 0; i < request.n; ++i) {
    each.sampling.stream = static_cast<std::uint64_t>(i);
    requests.push_back(each);
  }
  return requests;
}

}  // namespace fathom::serve
