#include "data/json_lines.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_object.h"

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
  const std::string& row = document.metadata;
  const bool object = !row.empty() && row.find('{') != std::string::npos &&
                      row.find_first_not_of(" \t\r") == row.find('{');
  return extended(object ? row : text_object(document.text, document.source), added) + "\n";
}

std::string json_line_with_text(const Document& document, const std::string& field,
                                std::string_view text, std::string_view added) {
  if (document.metadata.empty()) {
    return extended(text_object(text, document.source), added) + "\n";
  }
  auto row = nlohmann::ordered_json::parse(document.metadata, nullptr, false);
  if (!row.is_object()) {  // what Python's json accepts besides: NaN and the like
    return extended(text_object(text, document.source), added) + "\n";
  }
  row[field] = std::string(text);
  return extended(row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), added) + "\n";
}

}  // namespace fathom
