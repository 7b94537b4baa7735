// Scores of other models, to stand beside an evaluation's own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "eval/evaluation.h"

namespace fathom::eval {

struct OtherScores {
  std::string model;
  std::map<std::string, std::map<std::string, double>> tasks;  // by task, then by score
};

// Of another evaluation: the folder that `fathom eval --out` wrote, its results.json, or the results
// file of lm-evaluation-harness. Throws an input Error that names the file.
OtherScores read_other_scores(const std::string& path);

// What the tasks' files tell of published scores, by model (TaskConfig::published).
std::vector<OtherScores> published_scores(const std::vector<TaskResult>& results);

}  // namespace fathom::eval
