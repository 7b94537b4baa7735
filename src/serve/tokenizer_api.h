// /tokenize, /detokenize and /tokenizer_info, as vLLM has them and lm-eval asks for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "align/chat_template.h"
#include "serve/json_text.h"
#include "tokenizer/tokenizer.h"

namespace fathom::serve {

struct TokenizeRequest {
  std::string model, prompt;
  std::optional<Conversation> conversation;  // in place of the prompt
  bool add_special_tokens = true;
};
struct DetokenizeRequest {
  std::string model;
  std::vector<std::int32_t> tokens;
};

// All throw an ApiError 400.
TokenizeRequest parse_tokenize_request(std::string_view body);
DetokenizeRequest parse_detokenize_request(std::string_view body);

std::vector<std::int32_t> tokenize_text(const TokenizeRequest& request, const Tokenizer& tokenizer);
// The text with its special tokens.
std::string detokenize_text(const DetokenizeRequest& request, const Tokenizer& tokenizer);

Json tokenize_json(const std::vector<std::int32_t>& tokens, std::int64_t max_length);
// `chat` null: no chat template.
Json tokenizer_info_json(const Tokenizer& tokenizer, const ChatTemplate* chat,
                         std::int64_t max_length);

}  // namespace fathom::serve
