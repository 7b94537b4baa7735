#include "core/config.h"

#include <fmt/format.h>

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "core/program_files.h"

namespace fathom {

struct ConfigTable::Node {
  std::shared_ptr<const toml::table> root;  // keeps `table` alive
  const toml::table* table;
  std::string source;  // file name
  std::string path;    // "train.schedule", empty at the root
};

namespace {

[[noreturn]] void fail_type(const ConfigTable& table, std::string_view key, const char* wanted,
                            const toml::node& found) {
  std::ostringstream type;
  type << found.type();
  fail_input("{}: wants {}, but holds a value of type {}", table.where(key), wanted, type.str());
}

// Sets "a.b.c=value" in the tree, creating tables on the way.
void apply_override(toml::table& root, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    fail_input("--set {}: write it as key=value, for example --set train.steps=100", text);
  }
  toml::table parsed;
  try {
    parsed = toml::parse("value = " + text.substr(equals + 1));
  } catch (const toml::parse_error&) {
    parsed = toml::table{{"value", text.substr(equals + 1)}};
  }
  toml::table* table = &root;
  std::string rest = text.substr(0, equals);
  for (auto dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
    const std::string key = rest.substr(0, dot);
    rest.erase(0, dot + 1);
    if (!table->contains(key)) table->insert(key, toml::table{});
    table = table->get_as<toml::table>(key);
    if (!table) fail_input("--set {}: '{}' is not a table", text, key);
  }
  table->insert_or_assign(rest, *parsed.get("value"));
}

bool convert(const toml::node& node, bool& out) {
  if (!node.is_boolean()) return false;
  out = **node.as_boolean();
  return true;
}
bool convert(const toml::node& node, std::int64_t& out) {
  if (!node.is_integer()) return false;
  out = **node.as_integer();
  return true;
}
bool convert(const toml::node& node, double& out) {
  if (node.is_integer()) return void(out = static_cast<double>(**node.as_integer())), true;
  if (!node.is_floating_point()) return false;
  out = **node.as_floating_point();
  return true;
}
bool convert(const toml::node& node, std::string& out) {
  if (!node.is_string()) return false;
  out = **node.as_string();
  return true;
}
template <class T>
bool convert(const toml::node& node, std::vector<T>& out) {
  if (!node.is_array()) return false;
  std::vector<T> values;
  for (const toml::node& element : *node.as_array()) {
    if (!convert(element, values.emplace_back())) return false;
  }
  out = std::move(values);
  return true;
}
bool convert(const toml::node& node, NumberTable& out) {
  if (!node.is_table()) return false;
  NumberTable values;
  for (const auto& [key, value] : *node.as_table()) {
    if (!convert(value, values[std::string(key.str())])) return false;
  }
  out = std::move(values);
  return true;
}

template <class T>
bool get_as(const ConfigTable& table, const toml::table& toml_table, std::string_view key, T& out,
            const char* wanted) {
  const toml::node* node = toml_table.get(key);
  if (!node) return false;
  if (!convert(*node, out)) fail_type(table, key, wanted, *node);
  return true;
}

}  // namespace

ConfigTable ConfigTable::load(const std::string& wanted, std::span<const std::string> overrides) {
  const std::string path = find_program_file(wanted);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  const bool empty = file && file.peek() == std::ifstream::traits_type::eof() && !file.bad();
  if (!empty && !(file && text << file.rdbuf())) {
    fail_input("{}: cannot read this config file; check the path", path);
  }
  return parse(text.str(), path, overrides);
}

ConfigTable ConfigTable::parse(std::string_view text, const std::string& source_name,
                               std::span<const std::string> overrides) {
  toml::table root;
  try {
    root = toml::parse(text, source_name);
  } catch (const toml::parse_error& error) {
    fail_input("{}:{}: not valid TOML: {}", source_name, error.source().begin.line,
               std::string(error.description()));
  }
  for (const std::string& override_text : overrides) apply_override(root, override_text);
  auto shared = std::make_shared<const toml::table>(std::move(root));
  return ConfigTable(std::make_shared<const Node>(Node{shared, shared.get(), source_name, ""}));
}

bool ConfigTable::get(std::string_view key, bool& out) const {
  return get_as(*this, *node_->table, key, out, "true or false");
}
bool ConfigTable::get(std::string_view key, std::int64_t& out) const {
  return get_as(*this, *node_->table, key, out, "a whole number");
}
bool ConfigTable::get(std::string_view key, double& out) const {
  return get_as(*this, *node_->table, key, out, "a number");
}
bool ConfigTable::get(std::string_view key, std::string& out) const {
  return get_as(*this, *node_->table, key, out, "a string");
}
bool ConfigTable::get(std::string_view key, std::vector<std::int64_t>& out) const {
  return get_as(*this, *node_->table, key, out, "a list of whole numbers");
}
bool ConfigTable::get(std::string_view key, std::vector<double>& out) const {
  return get_as(*this, *node_->table, key, out, "a list of numbers");
}
bool ConfigTable::get(std::string_view key, std::vector<std::string>& out) const {
  return get_as(*this, *node_->table, key, out, "a list of strings");
}
bool ConfigTable::get(std::string_view key, NumberTable& out) const {
  return get_as(*this, *node_->table, key, out, "a table of numbers");
}

std::optional<ConfigTable> ConfigTable::table(std::string_view key) const {
  const toml::node* node = node_->table->get(key);
  if (!node) return std::nullopt;
  if (!node->is_table()) fail_type(*this, key, "a table", *node);
  const std::string path = (node_->path.empty() ? "" : node_->path + ".") + std::string(key);
  return ConfigTable(
      std::make_shared<const Node>(Node{node_->root, node->as_table(), node_->source, path}));
}

std::optional<std::vector<ConfigTable>> ConfigTable::tables(std::string_view key) const {
  const toml::node* node = node_->table->get(key);
  if (!node) return std::nullopt;
  if (!node->is_array()) fail_type(*this, key, "a list of tables ([[...]])", *node);
  std::vector<ConfigTable> result;
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_table()) fail_type(*this, key, "a list of tables ([[...]])", element);
    const std::string path = (node_->path.empty() ? "" : node_->path + ".") + std::string(key) +
                             "[" + std::to_string(result.size()) + "]";
    result.push_back(ConfigTable(
        std::make_shared<const Node>(Node{node_->root, element.as_table(), node_->source, path})));
  }
  return result;
}

std::vector<std::string> ConfigTable::keys() const {
  std::vector<std::string> result;
  for (const auto& [key, value] : *node_->table) result.emplace_back(key.str());
  return result;
}

std::string ConfigTable::where(std::string_view key) const {
  const toml::node* node = node_->table->get(key);
  const auto line = node ? node->source().begin.line : 0;
  const std::string path = (node_->path.empty() ? "" : node_->path + ".") + std::string(key);
  // A value set on the command line has no line.
  if (node && line == 0) return fmt::format("--set {}", path);
  return line ? fmt::format("{}:{}: {}", node_->source, line, path)
              : fmt::format("{}: {}", node_->source, path);
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t substitute = diagonal + (word[i - 1] != candidate[j - 1]);
        diagonal = row[j];
        row[j] = std::min({substitute, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

namespace detail {

void reject_unknown_keys(const ConfigTable& table, std::span<const std::string> known) {
  for (const std::string& key : table.keys()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string guess = nearest(key, known);
    if (!guess.empty()) {
      fail_input("{}: this key is not known; did you mean '{}'?", table.where(key), guess);
    }
    fail_input("{}: this key is not known; known here: {}", table.where(key),
               fmt::join(known, ", "));
  }
}

void fail_enum(const ConfigTable& table, std::string_view key, const std::string& value,
               std::span<const std::string_view> names) {
  fail_input("{}: '{}' is not one of {}", table.where(key), value, fmt::join(names, ", "));
}

namespace {

std::string toml_text(bool value) {
  return value ? "true" : "false";
}
std::string toml_text(std::int64_t value) {
  return std::to_string(value);
}
std::string toml_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);  // shortest that reads back
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}
std::string toml_text(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\')
      text += '\\', text += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      text += fmt::format("\\u{:04x}", c);
    else
      text += c;
  }
  return text + "\"";
}
template <class T>
std::string toml_text(const std::vector<T>& values) {
  std::string text = "[";
  for (const auto& value : values) text += (text.size() > 1 ? ", " : "") + toml_text(value);
  return text + "]";
}
std::string toml_text(const NumberTable& values) {
  std::string text;
  for (const auto& [name, value] : values) {
    text += fmt::format("{}{} = {}", text.empty() ? " " : ", ", toml_text(name), toml_text(value));
  }
  return text.empty() ? "{}" : "{" + text + " }";
}

template <class T>
void append(std::string& out, std::string_view key, const T& value) {
  out += key.empty() ? toml_text(value) : fmt::format("{} = {}\n", key, toml_text(value));
}

}  // namespace

void append_toml(std::string& out, std::string_view key, bool value) {
  append(out, key, value);
}
void append_toml(std::string& out, std::string_view key, std::int64_t value) {
  append(out, key, value);
}
void append_toml(std::string& out, std::string_view key, double value) {
  append(out, key, value);
}
void append_toml(std::string& out, std::string_view key, const std::string& value) {
  append(out, key, value);
}
void append_toml(std::string& out, std::string_view key, const std::vector<std::int64_t>& value) {
  append(out, key, value);
}
void append_toml(std::string& out, std::string_view key, const std::vector<double>& value) {
  append(out, key, value);
}
void append_toml(std::string& out, std::string_view key, const std::vector<std::string>& value) {
  append(out, key, value);
}
void append_toml(std::string& out, std::string_view key, const NumberTable& value) {
  append(out, key, value);
}

void append_help(std::string& out, const std::string& prefix, std::string_view key,
                 std::string_view value, std::string_view help) {
  const std::string full = prefix.empty() ? std::string(key) : fmt::format("{}.{}", prefix, key);
  out += fmt::format("  {:<34} {:<16} {}\n", full, value, help);
}

}  // namespace detail
}  // namespace fathom
