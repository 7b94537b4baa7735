// The request of /v1/completions.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "serve/generation_options.h"
#include "serve/prompt_limits.h"

namespace fathom::serve {

using Tokens = std::vector<std::int32_t>;

struct CompletionRequest : GenerationOptions {
  std::vector<std::variant<std::string, Tokens>> prompts;
  std::int64_t best_of = 1;              // sequences per prompt, of which the n likeliest count
  std::optional<std::int64_t> logprobs;  // likeliest tokens to report; none: no probabilities
  bool echo = false;
  bool add_special_tokens = true;  // such as a beginning-of-text token
};

// Throws an ApiError 400.
CompletionRequest parse_completion_request(std::string_view body, const ApiLimits& limits);

// A prompt as token ids.
struct EncodedPrompt {
  Tokens tokens;
  std::string text;  // with echo: as given, or what the ids spell
};
// Throws an ApiError 400 for a prompt beyond the limits and for an id that the tokenizer does not
// have.
std::vector<EncodedPrompt> encode_prompts(const CompletionRequest& request,
                                          const Tokenizer& tokenizer,
                                          const PromptLimits& limits = {});

// The engine's requests: for each prompt best_of of them, which differ in their stream of random
// numbers.
std::vector<infer::TextRequest> engine_requests(const CompletionRequest& request,
                                                const std::vector<EncodedPrompt>& prompts);

}  // namespace fathom::serve
