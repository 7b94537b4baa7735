// Asks a model the items of a task, and scores its answers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "eval/item.h"
#include "eval/language_model.h"
#include "eval/scores.h"
#include "eval/task_config.h"

namespace fathom::eval {

struct TaskResult {
  TaskConfig task;
  std::vector<Item> items;
  std::vector<Answer> answers;     // of the items
  std::vector<ItemScores> scores;  // of the items

  // The scores of the whole task, and of each of its parts when it has several.
  std::map<std::string, Estimate> total;
  struct Subset {
    std::int64_t items = 0;
    std::map<std::string, Estimate> scores;
  };
  std::map<std::string, Subset> subsets;
  // The means over the parts, each counting the same; empty without parts.
  std::map<std::string, double> macro_average;
};

enum class ProgressLines { shown, none };

// What an item of a task that generates asks for, for one of its samples.
GenerateRequest generate_request(const GenerateConfig& how, const Item& item, std::uint64_t sample);

// Shows progress by the item. `runner` runs the programs of a task whose metric is "code". Throws the
// Errors of the model and of the runner.
TaskResult evaluate(const TaskConfig& task, std::vector<Item> items, LanguageModel& model,
                    const PythonRunner* runner = nullptr,
                    ProgressLines lines = ProgressLines::shown);

// The score that stands for the task: TaskConfig::metric, or the mode's usual one.
std::string main_score(const TaskResult& result);

}  // namespace fathom::eval
