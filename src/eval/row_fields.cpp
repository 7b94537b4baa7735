#include "eval/row_fields.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fathom::eval {

RowFields::RowFields(const std::vector<FieldConfig>& fields, const std::string& where) {
  for (const FieldConfig& config : fields) {
    const std::string place = where + ": field " + config.name;
    if (config.name.empty()) fail_input("{}: a field has no name", where);
    if (config.value.empty() == config.list.empty()) {
      fail_input("{}: give either value or list", place);
    }
    if (config.patterns.size() != config.replacements.size()) {
      fail_input("{}: there are {} patterns and {} replacements", place, config.patterns.size(),
                 config.replacements.size());
    }
    Field& field = fields_.emplace_back();
    field.name = config.name;
    if (config.list.empty()) {
      field.value.emplace(config.value, place);
    } else {
      field.list.emplace(config.list, place);
    }
    for (std::size_t i = 0; i < config.patterns.size(); ++i) {
      field.replacements.emplace_back(Pattern(config.patterns[i], place), config.replacements[i]);
    }
  }
}

std::string RowFields::Field::replaced(std::string text) const {
  for (const auto& [pattern, with] : replacements) text = pattern.replace(text, with);
  return text;
}

void RowFields::add_to(Row& row) const {
  for (const Field& field : fields_) {
    nlohmann::ordered_json value;
    if (field.value) {
      value = field.replaced(field.value->render(row));
    } else {
      value = nlohmann::ordered_json::array();
      for (const std::string& text : field.list->list(row)) value.push_back(field.replaced(text));
    }
    (*row.fields)[field.name] = std::move(value);
  }
}

}  // namespace fathom::eval
