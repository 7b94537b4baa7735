// The templates of a task's prompt, and what a row makes of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/row_template.h"
#include "eval/task_config.h"

namespace fathom::eval {

// All members throw an input Error that names the row, such as for a field that it lacks.
class PromptTemplates {
 public:
  // `task` must outlive this. Throws an input Error for what is no template.
  explicit PromptTemplates(const TaskConfig& task);

  std::string description(const Row& row) const { return rendered(description_, row); }
  std::string context(const Row& row) const { return rendered(context_, row); }
  std::vector<std::string> contexts(const Row& row) const { return rendered(contexts_, row); }

  // The texts of the answers to choose from; none is empty.
  std::vector<std::string> choices(const Row& row) const;
  // The number of the right one of `count` choices, whose texts are `choices`.
  std::int64_t gold(const Row& row, std::int64_t count, const std::vector<std::string>& choices) const;
  // The right answer, as examples show it.
  std::string target(const Row& row) const;
  // The right answers, each of one or several texts. Metrics that need none have none.
  std::vector<std::vector<std::string>> golds(const Row& row) const;
  // The question of an example: of several contexts the right one.
  std::string example_context(const Row& row) const;

 private:
  static std::string rendered(const std::optional<TextTemplate>& source, const Row& row);
  static std::vector<std::string> rendered(const std::vector<TextTemplate>& sources, const Row& row);

  const PromptConfig& prompt_;
  std::optional<TextTemplate> description_, context_, gold_, gold_choice_, target_;
  std::vector<TextTemplate> contexts_, choices_;
  std::optional<ValueTemplate> choice_list_, golds_;
};

}  // namespace fathom::eval
