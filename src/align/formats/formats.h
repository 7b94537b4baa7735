// Rows of chat data in each of the public formats, as conversations. One file a format; each
// throws an input Error that says what is wrong with the row. Internal to src/align.
#pragma once

#include <string>
#include <vector>

#include "align/conversation.h"
#include "align/row.h"

namespace fathom::formats {

// Messages as a list of {"role", "content", ...} or of ShareGPT's {"from", "value"}, with
// content in parts joined.
std::vector<Message> read_messages(const RowJson& list);
Message read_message(const RowJson& message);
// Tools as a list, or as the JSON text of one; null when there are none.
RowJson read_tools(const RowJson& row);

// {"messages": [...]} and ShareGPT's {"conversations": [...], "system": ...}; `key` holds the list.
Conversation messages_row(const RowJson& row, const std::string& key);
// {"instruction", "input", "output", "system", "history"}, without the answer.
Conversation alpaca_prompt(const RowJson& row);
Conversation alpaca_row(const RowJson& row);
// A prompt, as a text or messages.
Conversation prompt_of(const RowJson& prompt);
// {"prompt": ..., "completion": ...}, each a text, a message or messages; `prompt` and
// `answer` are the keys.
Conversation completion_row(const RowJson& row, const std::string& prompt,
                            const std::string& answer);
// An answer as a text, a message or messages.
std::vector<Message> answer_of(const RowJson& answer);

// An OpenAssistant tree: {"message_tree_id", "prompt": {"text", "role", "replies": [...]}}. One
// conversation for each path of the user's messages, with the best answer to each; an answer on
// several paths is learned once.
std::vector<Conversation> tree_rows(const RowJson& row);

}  // namespace fathom::formats
