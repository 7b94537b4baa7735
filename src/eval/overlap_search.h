// Looks for a task's items in training text, and says what its scores are without them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eval/overlap.h"
#include "eval/task_config.h"
#include "text/document.h"

namespace fathom::eval {

struct ItemOverlap {
  std::int64_t runs = 0;  // of the item
  struct Document {
    std::string where;  // "file:line", or of prepared data "directory/source, document N"
    std::int64_t runs = 0;
    std::string beginning;  // the first 200 bytes or so
  };
  std::vector<Document> documents;  // that hold some of the item's runs; at most 20, those with most first
};

struct TaskOverlap {
  TaskConfig task;
  std::vector<ItemOverlap> items;
};

// Searches documents for the items of all tasks: of each the question with its right answer, without
// examples and description. `paths`: directories of `fathom data prepare`, or files of text as it reads
// them. Shows progress. Throws the Errors of reading.
std::vector<TaskOverlap> find_overlap(const std::vector<TaskConfig>& tasks, const std::string& data,
                                      std::span<const std::string> paths, const OverlapRule& rule,
                                      const DocumentOptions& documents = {});

// A line for each task: items, those that were found. With `samples`, a folder of `fathom eval --out`, a
// line for each score of those found and those not.
std::string overlap_table(const std::vector<TaskOverlap>& overlaps, const std::string& samples);
// One JSON object a line for each item that was found.
std::string overlap_jsonl(const TaskOverlap& overlap);

}  // namespace fathom::eval
