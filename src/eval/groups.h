// Tasks of one kind together.
#pragma once

#include <string>
#include <vector>

#include "eval/evaluation.h"

namespace fathom::eval {

struct GroupScore {
  std::string name;
  std::int64_t tasks = 0;
  // The weighted mean of the tasks' main scores (TaskConfig::weight), each task counting as one however
  // many items it has. The error is that of the tasks' own errors: which tasks there are is no chance.
  Estimate estimate;
};

// Of each TaskConfig::group, in the order of the results. Perplexities and bits per byte, which are no
// shares of right answers, take no part.
std::vector<GroupScore> group_scores(const std::vector<TaskResult>& results);

// Whether the task's main score is a share of right answers.
bool is_share(const TaskResult& result);

}  // namespace fathom::eval
