// The checked JSON reader: a value of a document that somebody else made. Every
// access checks, and an error names the document and the path of the value in it
// ("config.json: 'rope_scaling.factor' is \"x\", not a number"). JsonObject
// (io/json_object.h) reads the fields of one object more briefly.
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
  // Arrays and objects may be nested this deeply.
  static constexpr int max_depth = 128;

  // `source` begins every message. Throws an input Error when the text is no JSON
  // or is nested too deeply.
  static JsonValue parse(std::string_view text, const std::string& source);
  static JsonValue load(const std::string& path);  // `source` is the path

  const std::string& source() const;
  // Where the value is in its document, such as "model.merges[3]"; empty for the
  // whole document. Takes time in proportion to the document: for messages.
  std::string path() const;
  // The value as JSON text, cut short; for messages.
  std::string shown() const;
  // Throws an input Error: source, path, `problem` ("is empty").
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

  // Elements of an array; an input Error when it is none.
  std::vector<JsonValue> items() const;
  // Names of an object's fields in ascending order; an input Error when it is none.
  std::vector<std::string> keys() const;

  // Fields of an object; an input Error when it is none. A null field counts as
  // absent in has() and find().
  bool has(std::string_view key) const;
  JsonValue at(std::string_view key) const;  // an input Error when the key is missing
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
