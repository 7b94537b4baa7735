#include "align/conversation_rows.h"

#include "align/formats/formats.h"
#include "core/error.h"

namespace fathom {
namespace {

void refuse_other_kinds(const RowJson& row) {
  formats::refuse_labels(row);
  if (has_field(row, "chosen") && has_field(row, "rejected")) {
    fail_input(
        "holds a pair of answers, chosen and rejected: a row for `fathom dpo`, not an answer to "
        "learn");
  }
  if (has_field(row, "answers")) {
    fail_input("'answers' is a ranking: a row for `fathom dpo`, not an answer to learn");
  }
}

}  // namespace

std::string keys_of(const RowJson& row) {
  std::string keys;
  for (const auto& [key, value] : row.items()) keys += (keys.empty() ? "" : ", ") + key;
  return keys.empty() ? "none" : keys;
}

std::vector<Conversation> conversations_of(const RowJson& row) {
  const auto has = [&](const char* key) { return has_field(row, key); };
  if (has("message_tree_id")) return formats::tree_rows(row);
  refuse_other_kinds(row);
  for (const char* key : {"messages", "conversations", "conversation"}) {
    if (has(key)) return {formats::messages_row(row, key)};
  }
  if (has("instruction")) return {formats::alpaca_row(row)};
  struct Keys {
    const char *prompt, *answer;
  };
  for (const Keys& keys : {Keys{"prompt", "completion"}, Keys{"prompt", "response"},
                           Keys{"question", "answer"}, Keys{"problem", "solution"}}) {
    if (has(keys.prompt) && has(keys.answer)) {
      return {formats::completion_row(row, keys.prompt, keys.answer)};
    }
  }
  fail_input(
      "in no known format (its keys: {}); wants messages, conversations, instruction and output, "
      "prompt and completion, or question and answer",
      keys_of(row));
}

}  // namespace fathom
