// One sequence in the engine: its tokens, how many of them are cached, and why it ended.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "infer/batch_sampler.h"
#include "infer/block_manager.h"

namespace fathom::infer {

using SequenceId = std::uint64_t;

enum class FinishReason {
  none,         // not finished
  end_of_text,  // the model drew an end token
  stop,         // a stop string appeared
  length,       // max_tokens or the end of the context
};
inline std::string_view to_string(FinishReason reason) {
  constexpr std::string_view names[] = {"none", "end_of_text", "stop", "length"};
  return names[static_cast<int>(reason)];
}

struct Sequence {
  SequenceId id = 0;
  std::vector<std::int32_t> tokens;  // the prompt, then what was generated
  std::int64_t prompt_length = 0;
  std::int64_t max_length = 0;           // of `tokens`
  std::vector<std::int32_t> end_tokens;  // ids that end it
  SamplingOptions sampling;
  std::optional<std::int64_t> log_probabilities;         // as SamplingRow's
  std::optional<std::int64_t> prompt_log_probabilities;  // the same for the prompt's tokens
  std::int64_t min_length = 0;                           // before it no end token is drawn

  std::vector<DrawnToken> prompt_scores;  // of the prompt's tokens from the second on
  std::int64_t cached = 0;                // tokens whose keys and values are in the cache
  BlockTable pages;
  FinishReason finish = FinishReason::none;

  std::int64_t length() const { return static_cast<std::int64_t>(tokens.size()); }
  // Tokens that the model must read before the next can be drawn: the whole prompt at
  // first, all tokens after a preemption, one while generating.
  std::int64_t pending() const { return length() - cached; }

  // Whether the logits after token t are needed: to draw the next one, or to score the next one
  // of the prompt.
  bool needs_logits(std::int64_t t) const {
    const bool scores = prompt_log_probabilities && t >= std::ssize(prompt_scores);
    return t + 1 == length() || (scores && t + 1 < prompt_length);
  }

  // Whether tokens of the prompt are still to be scored, and so to be read.
  bool scores_prompt() const {
    return prompt_log_probabilities && std::ssize(prompt_scores) + 1 < prompt_length;
  }

  // Appends the next token and sets the finish reason if it ends the sequence.
  void append(std::int32_t token) {
    tokens.push_back(token);
    for (const std::int32_t end : end_tokens) {
      if (token == end) finish = FinishReason::end_of_text;
    }
    if (finish == FinishReason::none && length() >= max_length) finish = FinishReason::length;
  }
};

}  // namespace fathom::infer
