#include "data/json_lines.h"

#include "core/error.h"
#include "io/json_object.h"
#include "text/json_field.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// `object` with more members.
std::string extended(std::string object, std::string_view added) {
  object.resize(object.find_last_of('}') + 1);
  if (added.empty()) return object;
  object.pop_back();
  const bool bare = object.find_first_not_of(" \t\r", 1) == std::string::npos;
  return object + (bare ? "" : ", ") + std::string(added) + "}";
}

std::string text_object(std::string_view text, std::string_view source) {
  return fmt::format(R"({{"text": {}, "source": {}}})", json_quoted(text), json_quoted(source));
}

}  // namespace

std::string json_line(const Document& document, std::string_view added) {
  std::string row = document.metadata;
  const bool object = !row.empty() && row.find('{') != std::string::npos &&
                      row.find_first_not_of(" \t\r") == row.find('{');
  if (!object) row = text_object(document.text, document.source);
  utf8::replace_invalid(row);
  return extended(std::move(row), added) + "\n";
}

std::string json_line_with_text(const Document& document, const std::string& field,
                                std::string_view text, std::string_view added) {
  const JsonField old = find_json_text(document.metadata, std::span(&field, 1));
  if (old.found != JsonField::Found::text) {
    return extended(text_object(text, document.source), added) + "\n";
  }
  std::string row = document.metadata;
  row.replace(old.begin, old.end - old.begin, json_quoted(text));
  utf8::replace_invalid(row);
  return extended(std::move(row), added) + "\n";
}

}  // namespace fathom
