#include "serve/prompt_limits.h"

#include <algorithm>

#include "serve/api_error.h"

namespace fathom::serve {
namespace {

std::int64_t longest_token(const Tokenizer& tokenizer) {
  std::int64_t longest = 1;
  for (std::int64_t id = 0; id < tokenizer.vocab_size(); ++id) {
    longest = std::max<std::int64_t>(
        longest, std::ssize(tokenizer.id_to_bytes(static_cast<std::int32_t>(id))));
  }
  return longest;
}

}  // namespace

PromptLimits::PromptLimits(const Tokenizer& tokenizer, std::int64_t max_length)
    : max_length_(max_length), max_bytes_(max_length * longest_token(tokenizer)) {}

void PromptLimits::check_tokens(std::string_view param, std::int64_t tokens) const {
  if (tokens < max_length_) return;
  refuse(param,
         "the prompt has {} tokens, and the context of {} must hold the answer too: shorten it",
         tokens, max_length_);
}

void PromptLimits::check_bytes(std::string_view param, std::int64_t bytes) const {
  if (bytes <= max_bytes_) return;
  refuse(param, "the prompt has {} bytes, more than the context of {} tokens holds: shorten it",
         bytes, max_length_);
}

}  // namespace fathom::serve
