#include "align/answer_ranking.h"

#include <algorithm>

#include "core/error.h"

namespace fathom {

std::vector<double> scores_by_rule(std::span<const AnswerSample> answers, AnswerRule rule) {
  std::int64_t longest = 1;
  for (const AnswerSample& answer : answers) longest = std::max(longest, answer.tokens);
  std::vector<double> scores;
  for (const AnswerSample& answer : answers) {
    const double length =
        static_cast<double>(answer.tokens) / static_cast<double>(longest + 1);  // below 1
    double score = (answer.ended ? 1 : 0) + (answer.repeats ? 0 : 1);
    if (rule == AnswerRule::shorter) score -= length;
    if (rule == AnswerRule::longer) score += length;
    scores.push_back(score);
  }
  return scores;
}

std::optional<BestAndWorst> best_and_worst(std::span<const AnswerSample> answers,
                                           std::span<const double> scores) {
  require(answers.size() == scores.size(), "{} scores of {} answers", scores.size(),
          answers.size());
  std::optional<BestAndWorst> pair;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].text.empty()) continue;
    if (!pair) pair = {i, i};
    if (scores[i] > scores[pair->best]) pair->best = i;
    if (scores[i] < scores[pair->worst]) pair->worst = i;
  }
  if (!pair || scores[pair->best] == scores[pair->worst] ||
      answers[pair->best].text == answers[pair->worst].text) {
    return std::nullopt;
  }
  return pair;
}

}  // namespace fathom
