// Two evaluations of the same items, compared item by item.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/statistics.h"

namespace fathom::eval {

struct ScoreComparison {
  std::string task, score;  // the score with its filter, such as "exact_match,strict-match"
  std::int64_t items = 0;   // that both answered
  std::int64_t left_out = 0;  // that only one did
  double first = 0, second = 0;  // over these items
  PairedDifference paired;       // second minus first
  // Items that one of them has better.
  std::int64_t first_better = 0, second_better = 0;
};

// Compares the newest samples of every task that both folders hold (`fathom eval --out`, or
// lm-evaluation-harness's --log_samples). Items are the same when their number, their prompt and their
// filter are. Throws an input Error that names file and line for what are no samples, when no task is
// in both, and when two prompts of an item differ.
std::vector<ScoreComparison> compare_samples(const std::string& first, const std::string& second);

// A line for each score; the same as a JSON array.
std::string comparison_table(const std::vector<ScoreComparison>& comparisons);
std::string comparison_json(const std::vector<ScoreComparison>& comparisons);

}  // namespace fathom::eval
