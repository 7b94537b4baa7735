// Many prompts to texts through one engine: what `generate` does with its
// prompts, and an evaluation with its questions.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infer/engine.h"
#include "tokenizer/tokenizer.h"

namespace fathom::infer {

struct TextRequest {
  std::string prompt;
  std::vector<std::string> stop;  // the text ends before the first of these
  std::int64_t max_tokens = 128;
  SamplingOptions sampling;
};

struct TextResult {
  std::string text;  // without prompt and stop string
  std::int64_t prompt_tokens = 0;
  std::int64_t tokens = 0;  // generated, the ending one included
  FinishReason finish = FinishReason::none;
};

struct TextCallbacks {
  // Text of request `index` as it becomes certain, in order; may be empty.
  std::function<void(std::size_t index, std::string_view text)> on_text;
  std::function<void(std::size_t index, const TextResult& result)> on_finish;
};

// Runs all requests and returns their results in order. Throws an input Error
// that names the prompt by its number, before anything runs, when one cannot be
// taken.
std::vector<TextResult> generate_texts(Engine& engine, const Tokenizer& tokenizer,
                                       std::span<const std::int32_t> end_tokens,
                                       std::span<const TextRequest> requests,
                                       const TextCallbacks& callbacks);

}  // namespace fathom::infer
