// What generated answers are worth: one class for each TextMetric.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eval/item.h"
#include "eval/item_scores.h"
#include "eval/task_config.h"

namespace fathom::eval {

class PythonRunner;

class AnswerMetric {
 public:
  virtual ~AnswerMetric() = default;
  // The item's scores by their names, from its answers (GenerateConfig::samples of them) as a filter
  // left them. Scores but pass@k are means over the answers. Any thread may call it.
  virtual ItemScores score(const Item& item, const std::vector<std::string>& answers) const = 0;
  // Whether items are worth several threads.
  virtual bool slow() const { return false; }
};

// `runner` runs programs of metric = "code"; it must outlive the metric. Throws an input Error for
// what is no expression or template, and when a runner is needed and none is given.
std::unique_ptr<AnswerMetric> make_metric(const TaskConfig& task, const PythonRunner* runner);

}  // namespace fathom::eval
