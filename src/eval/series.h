// Evaluations of the checkpoints of one run: a table by step, and curves.
#pragma once

#include <string>
#include <vector>

#include "eval/evaluation.h"
#include "report/page.h"
#include "train/benchmarks.h"

namespace fathom::eval {

// The score that stands for the task.
BenchmarkScore benchmark_score(const TaskResult& result);

struct SeriesPoint {
  std::int64_t step = 0;
  std::vector<BenchmarkScore> scores;
};

// A table for people: its heading, and a line for each task of a step.
std::string series_heading();
std::string series_lines(const SeriesPoint& point);
// The same as JSON lines, named as in a run's metrics.jsonl.
std::string series_jsonl(const std::vector<SeriesPoint>& points);
// Curves over the steps, as a run's own page draws them.
Page series_page(const std::string& title, const std::vector<SeriesPoint>& points);

}  // namespace fathom::eval
