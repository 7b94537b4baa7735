// How much generated answers repeat themselves: functions of token ids alone. The repetition
// meter of a training run uses them, and rules that rank answers.
//
// The measure of DeepSeek LLM (arXiv 2401.02954, section 5.4.2) is the share of answers that never
// end and repeat a sequence. The report gives no exact rule; ours is: no end token within the
// limit, and an end of at least three periods.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fathom::infer {

// An answer's tokens without its end token.
struct Answer {
  std::vector<std::int32_t> tokens;
  bool ended = false;  // by an end token
  bool operator==(const Answer&) const = default;
};

inline constexpr std::int64_t min_periods = 3;

// The longest end of a text in which each token equals the one `period` tokens before it.
struct PeriodicTail {
  std::int64_t period = 0;  // 0: none
  std::int64_t length = 0;  // tokens; at least min_periods periods
  bool operator==(const PeriodicTail&) const = default;
};

// The tail with the shortest period, of any length; in linear time.
PeriodicTail periodic_tail(std::span<const std::int32_t> tokens);

// Never ends, and repeats.
bool repeats_without_end(const Answer& answer);

// seq-rep-n (Welleck et al., arXiv 1908.04319, section 6): 1 − distinct / all of the sequences
// of `n` tokens in the text; 0 where it has none. n is at least 1.
double repeated_ngrams(std::span<const std::int32_t> tokens, std::int64_t n);

inline constexpr std::size_t longest_ngram = 4;

struct RepetitionFigures {
  std::int64_t answers = 0;
  double repeating = 0;    // share that repeats_without_end()
  double ended = 0;        // share
  double mean_length = 0;  // tokens
  // Mean of repeated_ngrams() for n = 1, 2, 3, 4, over the answers of at least n tokens.
  std::array<double, longest_ngram> repeated_ngrams{};
};

// All are 0 for no answers.
RepetitionFigures repetition_of(std::span<const Answer> answers);

}  // namespace fathom::infer
