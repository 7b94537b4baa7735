// Reading TOML into structs, with one list of fields a struct.
//
// A config struct declares its fields once:
//
//   struct ScheduleConfig {
//     double peak = 3e-4;
//     std::int64_t warmup_steps = 2000;
//   };
//   template <class Visitor>
//   void visit_fields(ScheduleConfig& c, Visitor&& field) {
//     field("peak", c.peak, "highest learning rate");
//     field("warmup_steps", c.warmup_steps, "steps of linear warm-up");
//   }
//
// and gets reading (with the file and line in every error), `--set` overrides,
// refusal of unknown keys with the nearest known one, printing of the resolved
// config as TOML that reads back, and the text of `--help`.
//
// Field types: bool, std::int64_t, double, std::string, std::vector of
// std::int64_t, double or std::string, NumberTable (a table whose keys the user
// chooses), another config struct (a [table]), a std::vector of config structs (an
// [[array of tables]]), an enum with names (core/enum_names.h), and std::optional of
// the scalars (absent when not given).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/enum_names.h"
#include "core/error.h"

namespace fathom {

// Numbers under names that the user chooses, such as { web = 3, code = 1 }.
using NumberTable = std::map<std::string, double>;

// A parsed TOML document, or one table of it. Cheap to copy.
class ConfigTable {
 public:
  // Reads `path` and applies overrides such as "train.steps=100" or
  // "model.name=\"x\"" (a value that is no TOML value is taken as a string).
  // A path configs/... that does not exist is looked for among the program's files.
  // Throws an input Error with file and line when the text is not TOML.
  static ConfigTable load(const std::string& path, std::span<const std::string> overrides = {});
  static ConfigTable parse(std::string_view text, const std::string& source_name,
                           std::span<const std::string> overrides = {});

  // Each returns false when the key is absent, and throws an input Error with
  // file and line when it has another type.
  bool get(std::string_view key, bool& out) const;
  bool get(std::string_view key, std::int64_t& out) const;
  bool get(std::string_view key, double& out) const;
  bool get(std::string_view key, std::string& out) const;
  bool get(std::string_view key, std::vector<std::int64_t>& out) const;
  bool get(std::string_view key, std::vector<double>& out) const;
  bool get(std::string_view key, std::vector<std::string>& out) const;
  bool get(std::string_view key, NumberTable& out) const;
  std::optional<ConfigTable> table(std::string_view key) const;
  std::optional<std::vector<ConfigTable>> tables(std::string_view key) const;

  std::vector<std::string> keys() const;
  // "run.toml:12: train.steps": the place of `key` in this table, for messages.
  std::string where(std::string_view key) const;

 private:
  struct Node;
  explicit ConfigTable(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  std::shared_ptr<const Node> node_;
};

// The candidate with the smallest edit distance to `word`; empty when all are far.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

namespace detail {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {
  using Element = T;
};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {
  using Element = T;
};

template <class T>
concept ConfigScalar = std::is_same_v<T, bool> || std::is_same_v<T, std::int64_t> ||
    std::is_same_v<T, double> || std::is_same_v<T, std::string> ||
    std::is_same_v<T, std::vector<std::int64_t>> || std::is_same_v<T, std::vector<double>> ||
    std::is_same_v<T, std::vector<std::string>> || std::is_same_v<T, NumberTable>;

void reject_unknown_keys(const ConfigTable& table, std::span<const std::string> known);
[[noreturn]] void fail_enum(const ConfigTable& table, std::string_view key,
                            const std::string& value, std::span<const std::string_view> names);
void append_toml(std::string& out, std::string_view key, bool value);
void append_toml(std::string& out, std::string_view key, std::int64_t value);
void append_toml(std::string& out, std::string_view key, double value);
void append_toml(std::string& out, std::string_view key, const std::string& value);
void append_toml(std::string& out, std::string_view key, const std::vector<std::int64_t>& value);
void append_toml(std::string& out, std::string_view key, const std::vector<double>& value);
void append_toml(std::string& out, std::string_view key, const std::vector<std::string>& value);
void append_toml(std::string& out, std::string_view key, const NumberTable& value);
void append_help(std::string& out, const std::string& prefix, std::string_view key,
                 std::string_view value, std::string_view help);

}  // namespace detail

// Fills `config` from `table`; fields without a key keep their value. Throws an
// input Error on a key that is no field, a wrong type, or an unknown enum name.
template <class Config>
void read_config(const ConfigTable& table, Config& config) {
  std::vector<std::string> known;
  visit_fields(config, [&](const char* key, auto& value, const char*) {
    using T = std::remove_reference_t<decltype(value)>;
    known.emplace_back(key);
    if constexpr (detail::ConfigScalar<T>) {
      table.get(key, value);
    } else if constexpr (std::is_enum_v<T>) {
      std::string name;
      if (!table.get(key, name)) return;
      const std::optional<T> named = enum_of<T>(name);
      if (!named) detail::fail_enum(table, key, name, enum_names(T{}));
      value = *named;
    } else if constexpr (detail::IsOptional<T>::value) {
      typename detail::IsOptional<T>::Element element{};
      if (table.get(key, element)) value = element;
    } else if constexpr (detail::IsVector<T>::value) {
      const auto elements = table.tables(key);
      if (!elements) return;
      value.clear();
      for (const ConfigTable& element : *elements) read_config(element, value.emplace_back());
    } else {
      if (const auto child = table.table(key)) read_config(*child, value);
    }
  });
  detail::reject_unknown_keys(table, known);
}

// The config as TOML that read_config reads back to the same values.
template <class Config>
std::string config_to_toml(Config& config, const std::string& path = {}) {
  std::string scalars, tables;
  visit_fields(config, [&](const char* key, auto& value, const char*) {
    using T = std::remove_reference_t<decltype(value)>;
    const std::string full = path.empty() ? key : path + "." + key;
    if constexpr (detail::ConfigScalar<T>) {
      detail::append_toml(scalars, key, value);
    } else if constexpr (std::is_enum_v<T>) {
      detail::append_toml(scalars, key, std::string(enum_name(value)));
    } else if constexpr (detail::IsOptional<T>::value) {
      if (value) detail::append_toml(scalars, key, *value);
    } else if constexpr (detail::IsVector<T>::value) {
      for (auto& element : value) tables += "\n[[" + full + "]]\n" + config_to_toml(element, full);
    } else {
      tables += "\n[" + full + "]\n" + config_to_toml(value, full);
    }
  });
  return scalars + tables;
}

// One line a field: key, default, meaning.
template <class Config>
std::string config_help(const std::string& path = {}) {
  Config config{};
  std::string out;
  visit_fields(config, [&](const char* key, auto& value, const char* help) {
    using T = std::remove_reference_t<decltype(value)>;
    const std::string full = path.empty() ? key : path + "." + key;
    std::string text;
    if constexpr (detail::ConfigScalar<T>) {
      detail::append_toml(text, "", value);
      detail::append_help(out, path, key, text, help);
    } else if constexpr (std::is_enum_v<T>) {
      for (const auto name : enum_names(T{})) text += (text.empty() ? "" : "|") + std::string(name);
      detail::append_help(out, path, key, text, help);
    } else if constexpr (detail::IsOptional<T>::value) {
      detail::append_help(out, path, key, "unset", help);
    } else if constexpr (detail::IsVector<T>::value) {
      detail::append_help(out, path, key, "[[...]]", help);
      out += config_help<typename detail::IsVector<T>::Element>(full + "[]");
    } else {
      out += config_help<T>(full);
    }
  });
  return out;
}

}  // namespace fathom
