// Ranks several answers to one prompt, and makes a preference pair of the best and the worst.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// A shorter repeated end may belong to an answer.
inline constexpr std::int64_t repetition_tokens = 16;

struct AnswerSample {
  std::string text;
  std::int64_t tokens = 0;
  bool ended = false;    // by itself, not at the limit
  bool repeats = false;  // its end is a repeated sequence, of repetition_tokens or more
};

// How answers are ranked when no scores are given. Answers that end by themselves and do not repeat
// are always better than others.
enum class AnswerRule {
  complete,  // nothing else counts
  shorter,   // of equally complete ones the shorter
  longer,
};
inline std::span<const std::string_view> enum_names(AnswerRule) {
  static constexpr std::string_view names[] = {"complete", "shorter", "longer"};
  return names;
}

// A score for each answer, higher is better.
std::vector<double> scores_by_rule(std::span<const AnswerSample> answers, AnswerRule rule);

// Indices of the first of the best and the first of the worst answers, of those that say anything;
// none where all are equally good, or where both say the same.
struct BestAndWorst {
  std::size_t best, worst;
};
std::optional<BestAndWorst> best_and_worst(std::span<const AnswerSample> answers,
                                           std::span<const double> scores);

}  // namespace fathom
