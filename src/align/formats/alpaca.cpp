// Alpaca's rows: an instruction, an input, an output, and the questions and answers before them.
#include "align/formats/formats.h"
#include "core/error.h"

namespace fathom::formats {

Conversation alpaca_prompt(const RowJson& row) {
  Conversation conversation;
  auto& messages = conversation.messages;
  if (const std::string system = text_field_or(row, "system", ""); !system.empty()) {
    messages.push_back(make_message("system", system));
  }
  if (has_field(row, "history")) {
    for (const RowJson& turn : list_field(row, "history")) {
      if (!turn.is_array() || turn.size() != 2 || !turn[0].is_string() || !turn[1].is_string()) {
        fail_input("'history' wants pairs of a question and an answer");
      }
      messages.push_back(make_message("user", turn[0].get<std::string>()));
      messages.push_back(make_message("assistant", turn[1].get<std::string>()));
    }
  }
  const std::string& instruction = text_field(row, "instruction");
  const std::string input = text_field_or(row, "input", "");
  const bool both = !instruction.empty() && !input.empty();
  messages.push_back(make_message("user", instruction + (both ? "\n" : "") + input));
  conversation.tools = read_tools(row);
  return conversation;
}

Conversation alpaca_row(const RowJson& row) {
  Conversation conversation = alpaca_prompt(row);
  const std::string key = row.contains("output") ? "output" : "response";
  if (const auto output = row.find(key); output != row.end() && output->is_array()) {
    fail_input("'{}' is a list of answers: a ranking for `fathom dpo`, not an answer to learn",
               key);
  }
  conversation.messages.push_back(make_message("assistant", text_field(row, key)));
  return conversation;
}

}  // namespace fathom::formats
