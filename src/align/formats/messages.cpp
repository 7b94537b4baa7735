// `messages`, and ShareGPT's `conversations`.
#include <array>

#include "align/formats/formats.h"
#include "core/error.h"

namespace fathom::formats {
namespace {

// Other names of the roles, by the data sets that use them.
std::string usual_role(const std::string& name) {
  static constexpr std::array<std::array<std::string_view, 2>, 10> names = {{
      {"human", "user"},
      {"prompter", "user"},
      {"gpt", "assistant"},
      {"chatgpt", "assistant"},
      {"model", "assistant"},
      {"bot", "assistant"},
      {"function_call", "assistant"},
      {"observation", "tool"},
      {"function_response", "tool"},
      {"function", "tool"},
  }};
  for (const auto& [other, usual] : names) {
    if (name == other) return std::string(usual);
  }
  return name;
}

std::string joined_parts(const RowJson& parts) {
  std::string text;
  for (const RowJson& part : parts) {
    const std::string type = part.is_object() ? text_field_or(part, "type", "text") : "";
    if (type != "text") {
      fail_input("the content holds {}, not only text; a language model reads nothing else",
                 type.empty() ? part.type_name() : type);
    }
    text += text_field(part, "text");
  }
  return text;
}

// ShareGPT's function_call holds a call, or a list of them, as JSON text.
RowJson read_calls(const std::string& text) {
  RowJson calls = RowJson::parse(text, nullptr, false);
  if (calls.is_object()) calls = RowJson::array({calls});
  if (!calls.is_array() || calls.empty()) {
    fail_input("the value of function_call is no JSON object with a name and arguments");
  }
  RowJson result = RowJson::array();
  for (RowJson& call : calls) {
    if (!call.is_object()) fail_input("function_call holds {}, not an object", call.type_name());
    text_field(call, "name");
    result.push_back({{"type", "function"}, {"function", std::move(call)}});
  }
  return result;
}

// Whether an answer is learned: {"train": false} of Axolotl, {"weight": 0} of OpenAI.
bool is_learned(const RowJson& message) {
  if (const auto train = message.find("train"); train != message.end() && !train->is_null()) {
    if (!train->is_boolean()) fail_input("'train' is {}, not true or false", train->type_name());
    return train->get<bool>();
  }
  if (const auto weight = message.find("weight"); weight != message.end() && !weight->is_null()) {
    if (*weight != 0 && *weight != 1) {
      fail_input("'weight' is {}; an answer is learned (1) or not (0)", weight->dump());
    }
    return *weight == 1;
  }
  return true;
}

Message sharegpt_message(const RowJson& message) {
  const std::string& from = text_field(message, "from");
  Message result = make_message(usual_role(from), "");
  if (from == "function_call") {
    result.fields["tool_calls"] = read_calls(text_field(message, "value"));
  } else {
    result.fields["content"] = text_field(message, "value");
  }
  result.learned = is_learned(message);
  return result;
}

}  // namespace

Message read_message(const RowJson& message) {
  if (!message.is_object()) fail_input("is {}, not an object with a role", message.type_name());
  if (!message.contains("role") && message.contains("from")) return sharegpt_message(message);
  Message result;
  result.role = usual_role(text_field(message, "role"));
  result.learned = is_learned(message);
  for (const auto& [name, value] : message.items()) {
    // Rows from columns (Parquet) have null for each field that only other messages have.
    const bool absent = value.is_null() && name != "content";
    if (absent || name == "role" || name == "train" || name == "weight") continue;
    result.fields[name] = value;
  }
  if (const auto content = result.fields.find("content");
      content != result.fields.end() && content->is_array()) {
    *content = joined_parts(*content);
  }
  return result;
}

std::vector<Message> read_messages(const RowJson& list) {
  std::vector<Message> messages;
  for (const RowJson& message : list) {
    messages.push_back(with_location(fmt::format("message {}", messages.size() + 1),
                                     [&] { return read_message(message); }));
  }
  return messages;
}

RowJson read_tools(const RowJson& row) {
  if (!has_field(row, "tools")) return nullptr;
  RowJson tools = row["tools"];
  if (tools.is_string()) {
    if (tools.get_ref<const std::string&>().empty()) return nullptr;
    tools = RowJson::parse(tools.get_ref<const std::string&>(), nullptr, false);
  }
  if (!tools.is_array()) fail_input("'tools' is neither a list nor the JSON text of one");
  for (const RowJson& tool : tools) {
    if (!tool.is_object()) fail_input("'tools' holds {}, not an object", tool.type_name());
  }
  return tools.empty() ? RowJson(nullptr) : tools;
}

Conversation messages_row(const RowJson& row, const std::string& key) {
  Conversation conversation{read_messages(list_field(row, key)), read_tools(row)};
  add_system(row, conversation.messages);
  return conversation;
}

void add_system(const RowJson& row, std::vector<Message>& messages) {
  const std::string system = text_field_or(row, "system", "");
  if (system.empty()) return;
  if (!messages.empty() && messages[0].role == "system") {
    fail_input("has both a 'system' and a system message");
  }
  messages.insert(messages.begin(), make_message("system", system));
}

}  // namespace fathom::formats
