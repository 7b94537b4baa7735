#include "align/chat_data.h"

#include <algorithm>

#include "align/conversation_rows.h"
#include "align/row_batches.h"
#include "core/error.h"
#include "text/language.h"
#include "text/script.h"

namespace fathom {
namespace {

EncodedExample encode_example(const Conversation& conversation, const ChatTemplate& chat,
                              const Tokenizer& tokenizer, const ChatDataOptions& options) {
  EncodedChat encoded = chat.encode(conversation, tokenizer, options.chat);
  EncodedExample example;
  example.turns = std::ssize(conversation.messages);
  example.answers =
      std::ranges::count(conversation.messages, std::string("assistant"), &Message::role);
  example.learned_tokens = std::ranges::count(encoded.learned, 1);
  example.ends_turns = encoded.ends_turns;
  example.multiple_choice = is_multiple_choice(conversation);
  std::string said;
  for (const Message& message : conversation.messages) (said += message.content()) += '\n';
  example.script = prevailing_script(said);
  if (options.detect_languages) example.language = detect_language(said).code;
  example.tokens = std::move(encoded.tokens);
  example.learned = std::move(encoded.learned);
  return example;
}

}  // namespace

ChatStatistics read_examples(const std::vector<std::string>& paths, const ChatTemplate& chat,
                             const Tokenizer& tokenizer, const ChatDataOptions& options,
                             ExampleSet& examples) {
  const auto encode = [&](const RowJson& row) {
    std::vector<EncodedExample> encoded;
    for (const Conversation& conversation : conversations_of(row)) {
      encoded.push_back(encode_example(conversation, chat, tokenizer, options));
    }
    return encoded;
  };
  return read_rows(paths, options, encode, [&](const EncodedExample& example) {
    examples.add({example.tokens, example.learned});
  });
}

std::vector<std::string> lines_about(const ChatStatistics& statistics) {
  std::vector<std::string> lines;
  const auto add = [&](const ChatStatistics::LeftOut& left_out, const char* what) {
    if (left_out.rows == 0) return;
    lines.push_back(
        fmt::format("{} {} left out (the first: {})", left_out.rows, what, left_out.first));
  };
  add(statistics.bad, "bad rows");
  add(statistics.too_long, "rows beyond the context");
  add(statistics.multiple_choice, "multiple-choice questions");
  if (statistics.unended > 0) {
    lines.push_back(fmt::format(
        "{} conversations have answers without a special token at their end: the model does not "
        "learn from them to stop",
        statistics.unended));
  }
  return lines;
}

}  // namespace fathom
