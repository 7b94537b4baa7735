// From a model's answers to scores: of an item, and of all items of a task.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "eval/item.h"
#include "eval/language_model.h"
#include "eval/statistics.h"
#include "eval/text_filters.h"
#include "eval/text_metrics.h"

namespace fathom::eval {

// What the model answered to an item.
struct Answer {
  std::vector<PairScore> pairs, unconditional;  // as Item's
  std::string text;                             // generate
  PairScore document;                           // perplexity
};

// An item's part in a score. A perplexity's parts are a logarithm and what it is divided by.
struct Part {
  double value = 0, weight = 1;
};
// The name is the score's, and for generated text ",filter" behind it.
using ItemScores = std::map<std::string, Part>;

// choices: whether the right answer has the highest score, which is the log-probability
//   acc         as it is,
//   acc_token   divided by the answer's tokens (the report's, and GPT-3's),
//   acc_norm    by its characters (lm-evaluation-harness's),
//   acc_bytes   by its bytes,
//   acc_uncond  less the log-probability of the answer without the question.
// Among equals the first choice counts. Characters and bytes are those of the answer without the
// delimiter, which its tokens include.
ItemScores choice_scores(const Item& item, const Answer& answer);
// likelihood: acc (greedy generation would give the answer), perplexity.
ItemScores likelihood_scores(const Answer& answer);
// perplexity: word_perplexity (words are divided by blanks), byte_perplexity, bits_per_byte.
ItemScores document_scores(const Item& item, const Answer& answer);
// generate: exact_match or contains, for each filter.
class TextScores {
 public:
  explicit TextScores(const TaskConfig& task);
  ItemScores of(const Item& item, const Answer& answer) const;
  // What each filter makes of a text, by its name.
  std::map<std::string, std::string> filtered(const std::string& text) const;

 private:
  std::string metric_;
  AnswerComparison comparison_;
  std::vector<TextFilter> filters_;
};

// A score of all items from its parts.
Estimate summarise(const std::string& score, const std::vector<Part>& parts);

}  // namespace fathom::eval
