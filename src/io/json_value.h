// The checked JSON reader. Every access to a value checks its type; the Error names the
// document and the path of the value in it ("config.json: 'rope_scaling.factor' is \"x\", not
// a number"). JsonObject (io/json_object.h) is shorter for the fields of one object.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// Cheap to copy: all values of a document share it and keep it alive.
class JsonValue {
 public:
  // Deepest nesting of arrays and objects.
  static constexpr int max_depth = 128;

  // `source` begins every message. Throws an input Error when the text is not JSON or is
  // nested too deeply.
  static JsonValue parse(std::string_view text, const std::string& source);
  static JsonValue load(const std::string& path);  // `source` is the path

  const std::string& source() const;
  // Path of the value in its document, such as "model.merges[3]"; empty for the whole
  // document. Searches the document, so use it for messages only.
  std::string path() const;
  // The value as JSON text, shortened for messages.
  std::string shown() const;
  // Throws an input Error made of source, path and `problem` ("is empty").
  [[noreturn]] void refuse(std::string_view problem) const;

  bool is_null() const;
  bool is_bool() const;
  bool is_number() const;
  bool is_text() const;
  bool is_array() const;
  bool is_object() const;

  // Each throws an input Error when the value has another type or, for integer(),
  // is outside low to high.
  const std::string& text() const;
  bool boolean() const;
  double number() const;
  std::int64_t integer(std::int64_t low = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t high = std::numeric_limits<std::int64_t>::max()) const;
  std::uint64_t unsigned_integer() const;

  // Elements of an array; throws an input Error when the value is not one.
  std::vector<JsonValue> items() const;
  // Keys of an object, sorted; throws an input Error when the value is not one.
  std::vector<std::string> keys() const;

  // Fields of an object; each throws an input Error when the value is not one. has() and
  // find() treat a null field as absent.
  bool has(std::string_view key) const;
  JsonValue at(std::string_view key) const;  // throws an input Error when the key is missing
  std::optional<JsonValue> find(std::string_view key) const;
  bool boolean_or(std::string_view key, bool fallback) const;

 private:
  struct Document;
  JsonValue(std::shared_ptr<const Document> document, const nlohmann::json& value)
      : document_(std::move(document)), value_(&value) {}
  const nlohmann::json& require_object() const;
  [[noreturn]] void fail_type(std::string_view wanted) const;
  [[noreturn]] void fail_missing(std::string_view key) const;
  friend class JsonObject;

  std::shared_ptr<const Document> document_;
  const nlohmann::json* value_;  // inside the document
};

}  // namespace fathom
