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
  std::int64_t scores_from = 1;                          // the first token of the prompt to score
  std::vector<std::int32_t> alternatives;                // as Request's

  std::vector<DrawnToken> prompt_scores;  // of the prompt's tokens from scores_from on, then of
                                          // the alternatives
  std::int64_t cached = 0;                // tokens whose keys and values are in the cache
  BlockTable pages;
  bool was_admitted = false;  // it has run, if only to be preempted
  FinishReason finish = FinishReason::none;

  std::int64_t length() const { return static_cast<std::int64_t>(tokens.size()); }
  // Whether nothing is drawn: the prompt's scores are all that is asked for.
  bool only_scores() const { return max_length == prompt_length; }
  // Tokens that the model must read before the next can be drawn: the whole prompt at
  // first, all tokens after a preemption, one while generating. A last token that is only scored
  // is never read.
  std::int64_t pending() const { return length() - (only_scores() ? 1 : 0) - cached; }

  // How many rows of logits after token t are needed: one to draw the next token or to score that of
  // the prompt, and one for each alternative.
  std::int64_t logits_after(std::int64_t t) const {
    if (t + 1 == length()) return 1;
    if (t + 1 >= prompt_length || !prompt_log_probabilities || t + 1 < next_to_score()) return 0;
    return t + 2 == prompt_length ? 1 + std::ssize(alternatives) : 1;
  }

  // Whether tokens of the prompt are still to be scored.
  bool scores_prompt() const { return prompt_log_probabilities && next_to_score() < prompt_length; }
  // How many of the first tokens need not be read when their keys and values are known. (The last
  // of them is read nevertheless: the token behind it is drawn or scored.)
  std::int64_t shareable() const { return scores_prompt() ? next_to_score() : length(); }

  // Appends the next token and sets the finish reason if it ends the sequence.
  void append(std::int32_t token) {
    tokens.push_back(token);
    for (const std::int32_t end : end_tokens) {
      if (token == end) finish = FinishReason::end_of_text;
    }
    if (finish == FinishReason::none && length() >= max_length) finish = FinishReason::length;
  }

 private:
  std::int64_t next_to_score() const { return scores_from + std::ssize(prompt_scores); }
};

}  // namespace fathom::infer
