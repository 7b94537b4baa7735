#include "io/json_object.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/mapped_file.h"

namespace fathom {

// A node is a value of the parsed document; the type exists to keep the library
// out of the header.
struct JsonObject::Node : nlohmann::json {};

namespace {

using Json = nlohmann::json;

std::string abbreviated(const Json& value) {
  constexpr std::size_t longest = 60;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > longest) text = text.substr(0, longest) + "...";
  return text;
}

[[noreturn]] void fail_type(const std::string& source, std::string_view key, const Json& value,
                            std::string_view wanted) {
  fail_input("{}: '{}' is {}, not {}", source, key, abbreviated(value), wanted);
}

std::int64_t read_integer(const Json& value, std::string_view key, const std::string& source) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
  if (!fits) fail_type(source, key, value, "a whole number");
  return value.get<std::int64_t>();
}

std::string read_text(const Json& value, std::string_view key, const std::string& source) {
  if (!value.is_string()) fail_type(source, key, value, "a text");
  return value.get<std::string>();
}

const Json& read_array(const Json& value, std::string_view key, const std::string& source) {
  if (!value.is_array()) fail_type(source, key, value, "a list");
  return value;
}

}  // namespace

JsonObject JsonObject::parse(std::string_view text, const std::string& source) {
  auto document = std::make_shared<Json>(Json::parse(text, nullptr, /*allow_exceptions=*/false));
  if (document->is_discarded()) fail_input("{}: not valid JSON; is the file cut off?", source);
  if (!document->is_object()) fail_input("{}: holds no JSON object", source);
  const auto* node = static_cast<const Node*>(document.get());
  return {std::shared_ptr<const Node>(std::move(document), node), source};
}

JsonObject JsonObject::load(const std::string& path) {
  return parse(MappedFile(path).text(), path);
}

bool JsonObject::has(std::string_view key) const {
  const auto found = node_->find(key);
  return found != node_->end() && !found->is_null();
}

std::vector<std::string> JsonObject::keys() const {
  std::vector<std::string> keys;
  for (const auto& item : node_->items()) keys.push_back(item.key());
  return keys;
}

const JsonObject::Node& JsonObject::require_key(std::string_view key) const {
  if (!has(key)) fail_input("{}: '{}' is missing", source_, key);
  return static_cast<const Node&>(*node_->find(key));
}

std::int64_t JsonObject::integer(std::string_view key) const {
  return read_integer(require_key(key), key, source_);
}

std::uint64_t JsonObject::unsigned_integer(std::string_view key) const {
  const Json& value = require_key(key);
  if (!value.is_number_unsigned()) fail_type(source_, key, value, "a whole number from 0");
  return value.get<std::uint64_t>();
}

double JsonObject::number(std::string_view key) const {
  const Json& value = require_key(key);
  if (!value.is_number()) fail_type(source_, key, value, "a number");
  return value.get<double>();
}

bool JsonObject::boolean(std::string_view key) const {
  const Json& value = require_key(key);
  if (!value.is_boolean()) fail_type(source_, key, value, "true or false");
  return value.get<bool>();
}

std::string JsonObject::text(std::string_view key) const {
  return read_text(require_key(key), key, source_);
}

JsonObject JsonObject::object(std::string_view key) const {
  const Node& value = require_key(key);
  if (!value.is_object()) fail_type(source_, key, value, "an object");
  return {std::shared_ptr<const Node>(node_, &value), source_};
}

std::vector<std::int64_t> JsonObject::integers(std::string_view key) const {
  std::vector<std::int64_t> out;
  for (const Json& value : read_array(require_key(key), key, source_)) {
    out.push_back(read_integer(value, key, source_));
  }
  return out;
}

std::vector<std::string> JsonObject::texts(std::string_view key) const {
  std::vector<std::string> out;
  for (const Json& value : read_array(require_key(key), key, source_)) {
    out.push_back(read_text(value, key, source_));
  }
  return out;
}

std::vector<JsonObject> JsonObject::objects(std::string_view key) const {
  std::vector<JsonObject> out;
  for (const Json& value : read_array(require_key(key), key, source_)) {
    if (!value.is_object()) fail_type(source_, key, value, "an object");
    out.push_back(
        JsonObject(std::shared_ptr<const Node>(node_, static_cast<const Node*>(&value)), source_));
  }
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
  if (!has(key)) return {};
  if (node_->find(key)->is_array()) return integers(key);
  return {integer(key)};
}

std::string JsonObject::shown(std::string_view key) const {
  const auto found = node_->find(key);
  return found == node_->end() ? "nothing" : abbreviated(*found);
}

std::string json_quoted(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fathom
