#include "io/json_object.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "io/mapped_file.h"

namespace fathom {

JsonObject::JsonObject(JsonValue value) : value_(std::move(value)) {
  value_.require_object();
}

JsonObject JsonObject::parse(std::string_view text, const std::string& source) {
  JsonValue document = JsonValue::parse(text, source);
  if (!document.is_object()) fail_input("{}: does not hold a JSON object", source);
  return JsonObject(std::move(document));
}

JsonObject JsonObject::load(const std::string& path) {
  return parse(MappedFile(path).text(), path);
}

JsonValue JsonObject::require_key(std::string_view key) const {
  auto found = value_.find(key);
  if (!found) value_.fail_missing(key);
  return *std::move(found);
}

std::vector<std::int64_t> JsonObject::integers(std::string_view key) const {
  std::vector<std::int64_t> out;
  for (const JsonValue& value : require_key(key).items()) out.push_back(value.integer());
  return out;
}

std::vector<std::string> JsonObject::texts(std::string_view key) const {
  std::vector<std::string> out;
  for (const JsonValue& value : require_key(key).items()) out.push_back(value.text());
  return out;
}

std::vector<JsonObject> JsonObject::objects(std::string_view key) const {
  std::vector<JsonObject> out;
  for (JsonValue& value : require_key(key).items()) out.emplace_back(std::move(value));
  return out;
}

std::optional<std::int64_t> JsonObject::find_integer(std::string_view key) const {
  return has(key) ? std::optional(integer(key)) : std::nullopt;
}

std::optional<double> JsonObject::find_number(std::string_view key) const {
  return has(key) ? std::optional(number(key)) : std::nullopt;
}

std::optional<bool> JsonObject::find_boolean(std::string_view key) const {
  return has(key) ? std::optional(boolean(key)) : std::nullopt;
}

std::optional<std::string> JsonObject::find_text(std::string_view key) const {
  return has(key) ? std::optional(text(key)) : std::nullopt;
}

std::optional<JsonObject> JsonObject::find_object(std::string_view key) const {
  return has(key) ? std::optional(object(key)) : std::nullopt;
}

std::vector<std::int64_t> JsonObject::find_integers(std::string_view key) const {
  const auto found = value_.find(key);
  if (!found) return {};
  if (found->is_array()) return integers(key);
  return {found->integer()};
}

std::string JsonObject::shown(std::string_view key) const {
  const auto found = value_.find(key);
  if (found) return found->shown();
  return value_.require_object().contains(key) ? "null" : "nothing";
}

std::string json_quoted(std::string_view text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fathom
