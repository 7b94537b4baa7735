#include "text/document_field.h"

#include "core/error.h"

namespace fathom {
namespace {

std::string complaint_about(const JsonField& field, const DocumentOptions& options) {
  using Found = JsonField::Found;
  std::string names = "'" + options.fields.at(0) + "'";
  for (std::size_t i = 1; i < options.fields.size(); ++i)
    names += " or '" + options.fields[i] + "'";
  switch (field.found) {
    case Found::bad_syntax:
      return fmt::format("not valid JSON at column {}", field.column);
    case Found::bare_text:
    case Found::not_an_object:
      return options.bare_strings ? "neither a string nor an object" : "not a JSON object";
    case Found::other_type:
      return fmt::format("the field {} is not a string", names);
    case Found::absent:
    case Found::text:
      break;
  }
  return fmt::format("has no field {}", names);
}

}  // namespace

std::optional<JsonField> find_field(const RawDocument& raw, const DocumentOptions& options,
                                    DocumentCounts& counts) {
  using Found = JsonField::Found;
  JsonField field = find_json_text(raw.content, options.fields);
  const bool bare = field.found == Found::bare_text && options.bare_strings;
  if (field.found == Found::text || bare) return field;
  if (!options.skip_broken_lines) {
    fail_input("{}: {}; {}", raw.where(), complaint_about(field, options), options.remedy);
  }
  ++counts.broken_lines;
  if (counts.first_broken.empty()) counts.first_broken = raw.where();
  return std::nullopt;
}

}  // namespace fathom
