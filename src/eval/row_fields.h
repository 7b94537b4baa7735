// The fields that a task makes of a row's own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eval/pattern.h"
#include "eval/row_template.h"
#include "eval/task_config.h"

namespace fathom::eval {

class RowFields {
 public:
  // `where` begins messages. Throws an input Error for what is no template or expression.
  RowFields(const std::vector<FieldConfig>& fields, const std::string& where);
  // Adds the fields to the row, in the config's order: each may use those before it.
  void add_to(Row& row) const;

 private:
  struct Field {
    std::string name;
    std::optional<TextTemplate> value;
    std::optional<ValueTemplate> list;
    std::vector<std::pair<Pattern, std::string>> replacements;
    std::string replaced(std::string text) const;
  };
  std::vector<Field> fields_;
};

}  // namespace fathom::eval
