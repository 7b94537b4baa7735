// Answers to a file of conversations: `fathom generate --conversations`.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "align/chat_template.h"
#include "infer/model_loader.h"
#include "infer/text_engine.h"

namespace fathom {

struct AnswerOptions {
  std::optional<std::string> system;  // replaces the conversations' own
  std::int64_t max_tokens = 128;
  std::vector<std::string> stop;
  infer::SamplingOptions sampling;  // each row has its number as stream
  std::int64_t batch = 16;          // conversations answered at once
};

// Answers each row of a file of JSON lines and writes it, in order, with all of its fields and
// "answer", "answer_tokens" and "finish_reason". A row has "messages" (or "conversations"),
// "prompt", "instruction" or "question", and ends with the user's. An answer has no blanks at its
// beginning. Throws an input Error that names the line of any other row, and of one that does
// not fit the context, before the first answer.
void answer_conversations(const std::string& path, const infer::LoadedModel& model,
                          const ChatTemplate& chat, const AnswerOptions& options, Context& context,
                          std::ostream& out);

}  // namespace fathom
