// Files of samples, as `fathom eval --out` and lm-evaluation-harness's --log_samples write them, read
// again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "eval/item_scores.h"

namespace fathom::eval {

// An item's scores by one filter.
struct Sample {
  std::string prompt, where;  // what the model was asked first, and "file:line"
  ItemScores scores;
};
using Samples = std::map<std::pair<std::int64_t, std::string>, Sample>;  // by number and filter

// The newest file of samples of each task below the folder, by the task's name. Throws an input Error
// when there is none.
std::map<std::string, std::string> samples_files(const std::string& folder);

// Throws an input Error that names file and line for what is no sample.
Samples read_samples(const std::string& path);

}  // namespace fathom::eval
