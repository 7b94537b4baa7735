#include "io/json_value.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/mapped_file.h"

namespace fathom {

using Json = nlohmann::json;

struct JsonValue::Document {
  Json root;
  std::string source;
};

namespace {

// The parser does not recurse, but code that walks a document afterwards may.
void check_depth(std::string_view text, const std::string& source) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > JsonValue::max_depth) {
        fail_input("{}: arrays and objects are nested more than {} deep (at byte {})", source,
                   JsonValue::max_depth, i + 1);
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

// Appends the path from `from` to `wanted`, found by its address. False when it is not
// there.
bool append_path(const Json& from, const Json& wanted, std::string& path) {
  if (&from == &wanted) return true;
  const std::size_t before = path.size();
  if (from.is_array()) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      path += fmt::format("[{}]", i);
      if (append_path(from[i], wanted, path)) return true;
      path.resize(before);
    }
  } else if (from.is_object()) {
    for (const auto& item : from.items()) {
      if (before > 0) path += '.';
      path += item.key();
      if (append_path(item.value(), wanted, path)) return true;
      path.resize(before);
    }
  }
  return false;
}

}  // namespace

JsonValue JsonValue::parse(std::string_view text, const std::string& source) {
  check_depth(text, source);
  auto document = std::make_shared<Document>();
  document->source = source;
  try {
    document->root = Json::parse(text);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line ..."
    const std::string_view what = error.what();
    fail_input("{}: not valid JSON: {}", source, what.substr(what.find("] ") + 2, 200));
  }
  const Json& root = document->root;
  return {std::move(document), root};
}

JsonValue JsonValue::load(const std::string& path) {
  return parse(MappedFile(path).text(), path);
}

const std::string& JsonValue::source() const {
  return document_->source;
}

std::string JsonValue::path() const {
  std::string path;
  append_path(document_->root, *value_, path);
  return path;
}

std::string JsonValue::shown() const {
  constexpr std::size_t longest = 60;
  std::string text = value_->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > longest) text = text.substr(0, longest) + "...";
  return text;
}

void JsonValue::refuse(std::string_view problem) const {
  const std::string where = path();
  if (where.empty()) fail_input("{}: {}", source(), problem);
  fail_input("{}: '{}' {}", source(), where, problem);
}

void JsonValue::fail_type(std::string_view wanted) const {
  refuse(fmt::format("is {}, not {}", shown(), wanted));
}

void JsonValue::fail_missing(std::string_view key) const {
  const std::string where = path();
  fail_input("{}: '{}{}{}' is missing", source(), where, where.empty() ? "" : ".", key);
}

bool JsonValue::is_null() const {
  return value_->is_null();
}
bool JsonValue::is_bool() const {
  return value_->is_boolean();
}
bool JsonValue::is_number() const {
  return value_->is_number();
}
bool JsonValue::is_text() const {
  return value_->is_string();
}
bool JsonValue::is_array() const {
  return value_->is_array();
}
bool JsonValue::is_object() const {
  return value_->is_object();
}

const std::string& JsonValue::text() const {
  if (!value_->is_string()) fail_type("a text");
  return value_->get_ref<const std::string&>();
}

bool JsonValue::boolean() const {
  if (!value_->is_boolean()) fail_type("true or false");
  return value_->get<bool>();
}

double JsonValue::number() const {
  if (!value_->is_number()) fail_type("a number");
  return value_->get<double>();
}

std::int64_t JsonValue::integer(std::int64_t low, std::int64_t high) const {
  const bool fits = value_->is_number_integer() &&
                    (!value_->is_number_unsigned() || value_->get<std::uint64_t>() <= INT64_MAX);
  if (!fits) fail_type("a whole number");
  const auto number = value_->get<std::int64_t>();
  if (number < low || number > high) {
    refuse(fmt::format("is {}, not a whole number from {} to {}", number, low, high));
  }
  return number;
}

std::uint64_t JsonValue::unsigned_integer() const {
  if (!value_->is_number_unsigned()) fail_type("a whole number from 0");
  return value_->get<std::uint64_t>();
}

std::vector<JsonValue> JsonValue::items() const {
  if (!value_->is_array()) fail_type("a list");
  std::vector<JsonValue> out;
  out.reserve(value_->size());
  for (const Json& item : *value_) out.push_back(JsonValue(document_, item));
  return out;
}

const Json& JsonValue::require_object() const {
  if (!value_->is_object()) fail_type("an object");
  return *value_;
}

std::vector<std::string> JsonValue::keys() const {
  std::vector<std::string> out;
  out.reserve(value_->size());
  for (const auto& item : require_object().items()) out.push_back(item.key());
  return out;
}

bool JsonValue::has(std::string_view key) const {
  return find(key).has_value();
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const {
  const auto found = require_object().find(key);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return JsonValue(document_, *found);
}

JsonValue JsonValue::at(std::string_view key) const {
  const auto found = require_object().find(key);
  if (found == value_->end()) fail_missing(key);
  return {document_, *found};
}

bool JsonValue::boolean_or(std::string_view key, bool fallback) const {
  const auto found = find(key);
  return found ? found->boolean() : fallback;
}

}  // namespace fathom
