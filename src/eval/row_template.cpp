#include "eval/row_template.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fathom::eval {
namespace {

using Json = nlohmann::ordered_json;

std::string render_row(const JinjaTemplate& source, const Row& row) {
  Json variables = *row.fields;
  variables["row"] = *row.fields;
  variables["subset"] = row.subset;
  return with_location(row.where, [&] { return source.render(variables).text; });
}

// A template drops its last line end, which belongs to a task's text.
std::string with_last_line(const std::string& source) {
  return source.ends_with('\n') ? source + '\n' : source;
}

}  // namespace

TextTemplate::TextTemplate(const std::string& source, const std::string& where)
    : template_(JinjaTemplate::parse(with_last_line(source), where)) {}

std::string TextTemplate::render(const Row& row) const {
  return render_row(template_, row);
}

ValueTemplate::ValueTemplate(const std::string& expression, const std::string& where)
    : template_(JinjaTemplate::parse("{{ (" + expression + ") | tojson }}", where)), where_(where) {}

Json ValueTemplate::value(const Row& row) const {
  Json json = Json::parse(render_row(template_, row), nullptr, false);
  if (!json.is_array()) fail_input("{}: {} gives no list", row.where, where_);
  return json;
}

std::vector<std::string> ValueTemplate::texts_of(const Json& list, const Row& row) const {
  std::vector<std::string> texts;
  for (const Json& element : list) {
    if (element.is_string()) {
      texts.push_back(element.get<std::string>());
    } else if (element.is_number()) {
      texts.push_back(element.dump());
    } else {
      fail_input("{}: {} gives a list with {}, which is no text", row.where, where_, element.dump());
    }
  }
  return texts;
}

std::vector<std::string> ValueTemplate::list(const Row& row) const {
  return texts_of(value(row), row);
}

std::vector<std::vector<std::string>> ValueTemplate::lists(const Row& row) const {
  std::vector<std::vector<std::string>> all;
  for (const Json& element : value(row)) {
    all.push_back(texts_of(element.is_array() ? element : Json::array({element}), row));
    if (all.back().empty()) fail_input("{}: {} gives an empty list", row.where, where_);
  }
  return all;
}

}  // namespace fathom::eval
