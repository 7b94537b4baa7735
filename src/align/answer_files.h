// Files of `fathom dpo sample`: prompts, sampled answers, scores, and the pairs made of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "align/answer_ranking.h"
#include "align/conversation.h"

namespace fathom {

// The prompts of rows {"prompt": a text or messages}, {"messages": [...]} (an answer at the end is
// left out) and of every other kind that has one. Throws an input Error that names file and line.
std::vector<Conversation> read_prompts(const std::vector<std::string>& paths);

struct SampledPrompt {
  std::vector<Message> prompt;
  std::vector<AnswerSample> answers;
};
// A line of a file of answers, and back:
// {"prompt": [messages], "answers": [{"answer": text, "tokens": n, "ended": b, "repeats": b}]}
std::string answers_line(const SampledPrompt& sampled);
std::vector<SampledPrompt> read_answers(const std::string& path);

// Scores of a file of answers: on line i an array with a number for each answer of line i. Throws
// an input Error that names `source` and the line that does not fit.
std::vector<std::vector<double>> parse_scores(std::string_view text, const std::string& source,
                                              const std::vector<SampledPrompt>& answers);

// A row for `fathom dpo`: {"prompt": [messages], "chosen": text, "rejected": text} with the scores;
// empty where best_and_worst() finds no pair.
std::string pair_line(const SampledPrompt& sampled, const std::vector<double>& scores);

}  // namespace fathom
