// From a model's answers to scores: of an item, and of all items of a task.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "eval/answer_metric.h"
#include "eval/item.h"
#include "eval/item_scores.h"
#include "eval/language_model.h"
#include "eval/statistics.h"
#include "eval/text_filters.h"

namespace fathom::eval {

// What the model answered to an item.
struct Answer {
  std::vector<PairScore> pairs, unconditional;  // as Item's
  std::vector<std::string> texts;               // generate: GenerateConfig::samples of them
  PairScore document;                           // perplexity
};

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
// generate: the scores of GenerateConfig::metric, for each filter.
class TextScores {
 public:
  // `runner`: as make_metric()'s.
  explicit TextScores(const TaskConfig& task, const PythonRunner* runner = nullptr);
  ItemScores of(const Item& item, const Answer& answer) const;
  bool slow() const { return metric_->slow(); }
  // What each filter makes of the texts, by its name.
  static std::map<std::string, std::vector<std::string>> filtered(const TaskConfig& task,
                                                                  const std::vector<std::string>& texts);

 private:
  std::unique_ptr<AnswerMetric> metric_;
  std::vector<TextFilter> filters_;
};

// Whether the items' parts in a score have weights of their own.
bool has_weights(const std::string& score);
// For each item a number: their mean is the score of all items, and, to first order, the error of their
// mean the score's. For a score without weights that is a mean, the items' own values.
std::vector<double> linearised(const std::string& score, const std::vector<Part>& parts);
// A score of all items from its parts.
Estimate summarise(const std::string& score, const std::vector<Part>& parts);

}  // namespace fathom::eval
