// An evaluation as a page for people.
#pragma once

#include <vector>

#include "eval/evaluation.h"
#include "eval/other_scores.h"
#include "eval/results_file.h"
#include "report/page.h"

namespace fathom::eval {

// A table of the tasks by their groups with intervals of 95 % and the scores of others, and for each task
// all its scores, its parts and some of its items: what the model was asked, what it answered, what is
// right. `samples`: of each task, spread over all items.
Page results_page(const std::vector<TaskResult>& results, const RunFacts& facts,
                  const std::vector<OtherScores>& others = {}, std::int64_t samples = 50);

}  // namespace fathom::eval
