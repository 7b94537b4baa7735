// Results as files and as a table.
#pragma once

#include <string>
#include <vector>

#include "eval/evaluation.h"

namespace fathom::eval {

// About the run, for results.json.
struct RunFacts {
  std::string model, dtype, device;
  double seconds = 0;
  LanguageModel::Work work;
  bool batch_invariant = false;  // the same scores in any batch, to the bit
};

// results.json: an object "results" with each task's scores, their standard errors
// ("acc_stderr"), its parts and its config, and the facts.
std::string results_json(const std::vector<TaskResult>& results, const RunFacts& facts);
// A line for each task and score, for people. Without `all` only the main score of each task.
std::string results_table(const std::vector<TaskResult>& results, bool all);
// A task's answers, one JSON object a line, in the layout of lm-evaluation-harness's --log_samples.
std::string samples_jsonl(const TaskResult& result);

}  // namespace fathom::eval
