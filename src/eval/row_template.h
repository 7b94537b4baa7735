// Templates and expressions of a task file, with a row's fields as variables. `row` is the whole row,
// for fields whose names are no names of variables, and `subset` the part of the task.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "align/jinja/template.h"
#include "eval/rows.h"

namespace fathom::eval {

// A template of one text.
class TextTemplate {
 public:
  // `where` begins messages: the file and the key. Throws an input Error for what is no template.
  TextTemplate(const std::string& source, const std::string& where);
  // Throws an input Error that names the row, such as for a field that it lacks.
  std::string render(const Row& row) const;

 private:
  JinjaTemplate template_;
};

// A Jinja expression, such as "[option1, option2]".
class ValueTemplate {
 public:
  ValueTemplate(const std::string& expression, const std::string& where);
  // The expression's elements as texts. Throws an input Error that names the row when it is no list,
  // or an element is neither a text nor a number.
  std::vector<std::string> list(const Row& row) const;
  // The same where an element may also be such a list; a text is a list of its own.
  std::vector<std::vector<std::string>> lists(const Row& row) const;

 private:
  nlohmann::ordered_json value(const Row& row) const;
  std::vector<std::string> texts_of(const nlohmann::ordered_json& list, const Row& row) const;

  JinjaTemplate template_;
  std::string where_;
};

}  // namespace fathom::eval
