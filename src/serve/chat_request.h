// The request of /v1/chat/completions.
#pragma once

#include <string_view>
#include <vector>

#include "align/conversation.h"
#include "serve/generation_options.h"

namespace fathom::serve {

struct ChatRequest : GenerationOptions {
  Conversation conversation;
  bool logprobs = false;
  std::int64_t top_logprobs = 0;  // likeliest tokens to report
};

// Throws an ApiError 400. The order of the messages is checked by the chat template.
ChatRequest parse_chat_request(std::string_view body, const ApiLimits& limits);

// Reads 'messages', which /tokenize takes too.
Conversation read_messages(const JsonValue& messages);

// The engine's requests: n for the prompt, which differ in their stream of random numbers. Without
// max_tokens an answer may fill the context of `max_length` tokens. `end_of_turn`: the template's
// end of an answer.
std::vector<infer::TextRequest> engine_requests(const ChatRequest& request,
                                                const std::vector<std::int32_t>& prompt,
                                                std::int64_t max_length,
                                                std::optional<std::int32_t> end_of_turn);

}  // namespace fathom::serve
