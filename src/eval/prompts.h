// From rows to prompts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "eval/item.h"
#include "eval/rows.h"
#include "eval/task_config.h"

namespace fathom::eval {

enum class PromptForm {
  text,  // one text, as a base model reads it
  chat,  // messages: the description as the system's, each example as a question and an answer; answers
         // follow without the delimiter
};
struct PromptOptions {
  PromptForm form = PromptForm::text;
  std::string system;  // before the description
};

// The items of a task, in its rows' order. `shots`: the rows that examples are taken from; ignored
// with ShotsConfig::count 0. Throws an input Error that names the row: for a field that it lacks, a
// gold that is no choice, an empty choice, and too few rows for the examples.
std::vector<Item> make_items(const TaskConfig& task, std::vector<Row> rows, std::vector<Row> shots,
                             const PromptOptions& options = {});

// The same with the data read from files below `directory`. `limit`: only the first rows; 0: all.
std::vector<Item> load_items(const TaskConfig& task, const std::string& directory,
                             std::int64_t limit = 0, const PromptOptions& options = {});

}  // namespace fathom::eval
