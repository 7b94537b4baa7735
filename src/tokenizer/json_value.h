// A value of a JSON document that is not trusted: every access checks, and refuses with
// the path of what is wrong.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "tokenizer/pair_map.h"

namespace fathom::tokenizer {

using nlohmann::json;

// The document outlives it.
class Value {
 public:
  Value(const json& value, std::string path) : json_(value), path_(std::move(path)) {}

  [[noreturn]] void refuse(const std::string& what) const { fail_input("{}: {}", path_, what); }
  const json& get() const { return json_; }
  const std::string& path() const { return path_; }
  bool is_null() const { return json_.is_null(); }

  const json& object() const {
    if (!json_.is_object()) refuse("wants an object");
    return json_;
  }
  bool has(const char* key) const {
    const auto found = object().find(key);
    return found != json_.end() && !found->is_null();
  }
  Value at(const char* key) const {
    const auto found = object().find(key);
    if (found == json_.end()) refuse(fmt::format("the key '{}' is missing", key));
    return {*found, path_ + "." + key};
  }
  std::vector<Value> items() const {
    if (!json_.is_array()) refuse("wants an array");
    std::vector<Value> values;
    for (std::size_t i = 0; i < json_.size(); ++i) {
      values.emplace_back(json_[i], fmt::format("{}[{}]", path_, i));
    }
    return values;
  }
  const std::string& string() const {
    if (!json_.is_string()) refuse("wants a string");
    return json_.get_ref<const std::string&>();
  }
  bool boolean() const {
    if (!json_.is_boolean()) refuse("wants true or false");
    return json_.get<bool>();
  }
  std::int64_t integer(std::int64_t low, std::int64_t high) const {
    if (!json_.is_number_integer()) refuse("wants a whole number");
    const bool huge = json_.is_number_unsigned() &&
                      json_.get<std::uint64_t>() >
                          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const std::int64_t number = huge ? high : json_.get<std::int64_t>();
    if (huge || number < low || number > high) {
      refuse(fmt::format("{} is outside {} to {}", json_.dump(), low, high));
    }
    return number;
  }
  std::int32_t id() const { return static_cast<std::int32_t>(integer(0, PairMap::max_ids - 1)); }
  bool boolean_or(const char* key, bool fallback) const {
    return has(key) ? at(key).boolean() : fallback;
  }

 private:
  const json& json_;
  std::string path_;
};

// Refuses the value's "type"; `known` lists what is supported.
[[noreturn]] inline void refuse_type(const Value& value, const char* known) {
  value.at("type").refuse(fmt::format("'{}' is not supported (known are {})",
                                      value.at("type").string().substr(0, 60), known));
}

}  // namespace fathom::tokenizer
