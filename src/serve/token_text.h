// Tokens and their log-probabilities in the shapes of OpenAI's two interfaces. Written as text at
// once: a tree of JSON values would take ten times the memory.
#pragma once

#include <cstddef>
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
  // The JSON of what was added since the last call. Offsets go on.
  std::string take();
  std::size_t bytes() const;

 private:
  void add_token(std::int32_t token);

  const Tokenizer& tokenizer_;
  SpecialTokens special_;
  std::string tokens_, values_, top_, offsets_;  // elements of arrays, with commas between them
  std::int64_t offset_ = 0;                      // in characters
};

// Builds `logprobs` of a chat's choice: content.
class ChatLogprobs {
 public:
  explicit ChatLogprobs(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void add(std::span<const infer::DrawnToken> tokens);
  // The JSON of what was added since the last call.
  std::string take();
  std::size_t bytes() const { return content_.capacity(); }

 private:
  const Tokenizer& tokenizer_;
  std::string content_;  // elements of the array, with commas between them
};

}  // namespace fathom::serve
