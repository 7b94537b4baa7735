// Finds an assistant's answers in a rendered conversation. Internal to src/align.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "align/chat_template.h"

namespace fathom {

// Throws an input Error when `text`, what the template `name` made of the conversation, lacks a
// message of the user or the system, or a tool: some templates drop roles that they don't know.
void check_nothing_lost(const Conversation& conversation, std::string_view text,
                        const std::string& name);

// Indices of the assistant's messages that are to be learned.
std::vector<std::size_t> learned_messages(const Conversation& conversation, LearnedTurns turns);

struct AnswerFinder {
  const Conversation& conversation;
  const std::string& text;  // the whole conversation, rendered
  // Renders the first messages, with a generation prompt or without.
  std::function<RenderedText(std::size_t messages, bool generation_prompt)> render;
  std::string end_of_text;  // the token, which some templates write after the last message only

  // Both return the bytes of the messages `learned` and throw an input Error when the template
  // does not let them be told from the rest.
  // Of those that {% generation %} marked.
  std::vector<ByteSpan> of_tags(const std::vector<ByteSpan>& tagged,
                                const std::vector<std::size_t>& learned) const;
  // By what each adds to the text before it.
  std::vector<ByteSpan> of_prefixes(const std::vector<std::size_t>& learned) const;

 private:
  // Length of the first messages in the text.
  std::size_t end_of(std::size_t messages) const;
};

// Learns the special token that ends a turn where it follows an answer's marks. Where the text
// ends before it, `continued`, the tokens with a generation prompt, shows what to append.
void learn_end_of_turns(EncodedChat& chat, const Tokenizer& tokenizer,
                        const std::function<std::vector<std::int32_t>()>& continued);

}  // namespace fathom
