// Who answers a chat: a model in this process (local_chat.h), or one behind a server.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "align/conversation.h"
#include "infer/sampling_options.h"
#include "infer/sequence.h"

namespace fathom {

struct ChatSettings {
  // Replaces the system prompt; none: it is left out, and the template may put its own.
  std::optional<std::string> system;
  std::int64_t max_tokens = 1024;
  infer::SamplingOptions sampling;  // each answer has a stream of its own
};

// Called with each piece of an answer, which may be empty; false stops the answer.
using TakePiece = std::function<bool(std::string_view piece)>;

struct ChatAnswer {
  // As the history keeps it, bytes that are no UTF-8 replaced; empty: the turn was given up.
  std::string text;
  bool stopped = false;
  infer::FinishReason finish = infer::FinishReason::none;
  std::int64_t dropped_turns = 0;  // older ones that left the context for this one
};

class ChatResponder {
 public:
  virtual ~ChatResponder() = default;
  // Longest conversation in tokens, its answer included.
  virtual std::int64_t context() const = 0;
  // Tokens of what the model is shown: these messages, and the settings' system prompt.
  virtual std::int64_t prompt_tokens(const Conversation& shown, const ChatSettings& settings) = 0;
  // Answers with at most `settings.max_tokens` tokens; the random numbers are those of
  // settings.sampling.stream. `take` is called many times a second, and gets the text: that of the
  // result may be empty.
  virtual ChatAnswer answer(const Conversation& shown, const ChatSettings& settings,
                            const TakePiece& take) = 0;
};

}  // namespace fathom
