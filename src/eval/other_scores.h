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

// Of other evaluations, each the folder that `fathom eval --out` wrote, its results.json, or a results
// file of lm-evaluation-harness, of which what is no number is left out. A model has the name of its
// run or file; where several have the same one, their paths here. Throws an input Error that names the
// file.
std::vector<OtherScores> read_other_scores(const std::vector<std::string>& paths);

// What the tasks' files tell of published scores, by model (TaskConfig::published).
std::vector<OtherScores> published_scores(const std::vector<TaskResult>& results);

}  // namespace fathom::eval
