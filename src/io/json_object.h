// Reads and checks the fields of a JSON object (see io/json_value.h). Every mistake in the
// file becomes one line that names the file and the key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/json_value.h"

namespace fathom {

// Cheap to copy. Reading throws an input Error when the key is absent or null, or its value
// has another type. The functions that begin with find_ return none for an absent or null key.
class JsonObject {
 public:
  // `source` begins every message. Throws an input Error when the text is not a JSON object.
  static JsonObject parse(std::string_view text, const std::string& source);
  static JsonObject load(const std::string& path);  // `source` is the path
  // Throws an input Error when the value is not an object.
  explicit JsonObject(JsonValue value);

  bool has(std::string_view key) const { return value_.has(key); }  // false when null
  std::vector<std::string> keys() const { return value_.keys(); }
  const std::string& source() const { return value_.source(); }

  std::int64_t integer(std::string_view key) const { return require_key(key).integer(); }
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high) const {
    return require_key(key).integer(low, high);
  }
  std::uint64_t unsigned_integer(std::string_view key) const {
    return require_key(key).unsigned_integer();
  }
  double number(std::string_view key) const { return require_key(key).number(); }
  bool boolean(std::string_view key) const { return require_key(key).boolean(); }
  std::string text(std::string_view key) const { return require_key(key).text(); }
  JsonObject object(std::string_view key) const { return JsonObject(require_key(key)); }

  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  std::vector<JsonObject> objects(std::string_view key) const;

  std::optional<std::int64_t> find_integer(std::string_view key) const;
  std::optional<double> find_number(std::string_view key) const;
  std::optional<bool> find_boolean(std::string_view key) const;
  std::optional<std::string> find_text(std::string_view key) const;
  std::optional<JsonObject> find_object(std::string_view key) const;
  // A whole number, or a list of them.
  std::vector<std::int64_t> find_integers(std::string_view key) const;

  // The value of a key as JSON text, for messages; "nothing" when absent.
  std::string shown(std::string_view key) const;

 private:
  JsonValue require_key(std::string_view key) const;  // not null

  JsonValue value_;
};

// `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD.
std::string json_quoted(std::string_view text);

}  // namespace fathom
