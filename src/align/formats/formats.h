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

// Refuses rows that mark single answers as good or bad (KTO).
void refuse_labels(const RowJson& row);

// {"messages": [...]} and ShareGPT's {"conversations": [...], "system": ...}; `key` holds the list.
Conversation messages_row(const RowJson& row, const std::string& key);
// {"instruction", "input", "output", "system", "history"}, without the answer.
Conversation alpaca_prompt(const RowJson& row);
Conversation alpaca_row(const RowJson& row);
// {"prompt": ...}, a text or messages, with "system" and "tools"; `key` holds the prompt.
Conversation prompt_row(const RowJson& row, const std::string& key);
// {"prompt": ..., "completion": ...}, each a text, a message or messages; `prompt` and
// `answer` are the keys.
Conversation completion_row(const RowJson& row, const std::string& prompt,
                            const std::string& answer);
// An answer as a text, a message or messages.
std::vector<Message> answer_of(const RowJson& answer);
// The messages of a text in the markup of Anthropic's data, "\n\nHuman: ...\n\nAssistant: ...";
// none for another text.
std::vector<Message> marked_dialogue(const std::string& text);
// Puts the row's "system", where there is one, before the messages.
void add_system(const RowJson& row, std::vector<Message>& messages);

// An OpenAssistant tree: {"message_tree_id", "prompt": {"text", "role", "replies": [...]}}. One
// conversation for each path of the user's messages, with the best answer to each; an answer on
// several paths is learned once.
std::vector<Conversation> tree_rows(const RowJson& row);
// The tree's first message, and a message as one of `role`, "user" or "assistant".
const RowJson& tree_root(const RowJson& row);
Message tree_message(const RowJson& node, std::string_view role);
// A message's replies that were not deleted, the best first: by rank where they have one.
std::vector<const RowJson*> replies_of(const RowJson& node);

}  // namespace fathom::formats
