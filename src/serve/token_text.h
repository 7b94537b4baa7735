// Tokens and their log-probabilities in the shapes of OpenAI's two interfaces.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "infer/batch_sampler.h"
#include "serve/json_text.h"
#include "tokenizer/tokenizer.h"

namespace fathom::serve {

// The text of a token; "bytes:\xe2\x80" for one that is no whole characters, as OpenAI's API.
std::string token_text(const Tokenizer& tokenizer, std::int32_t token);

// Builds `logprobs` of a completion: tokens, token_logprobs, top_logprobs, text_offset.
class CompletionLogprobs {
 public:
  // `special`: whether the text shows special tokens. Offsets are places in that text.
  CompletionLogprobs(const Tokenizer& tokenizer, SpecialTokens special)
      : tokenizer_(tokenizer), special_(special) {}

  // The first token of a prompt, which has no log-probability.
  void add_first(std::int32_t token);
  void add(std::span<const infer::DrawnToken> tokens);
  // What was added since the last call. Offsets go on.
  Json take();

 private:
  void add_token(std::int32_t token, Json log_probability, Json top);

  const Tokenizer& tokenizer_;
  SpecialTokens special_;
  Json tokens_ = Json::array(), values_ = Json::array(), top_ = Json::array(),
       offsets_ = Json::array();
  std::int64_t offset_ = 0;  // in characters
};

// `logprobs.content` of a chat's choice.
Json chat_logprobs(const Tokenizer& tokenizer, std::span<const infer::DrawnToken> tokens);

}  // namespace fathom::serve
