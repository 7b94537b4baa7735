#include "align/row.h"

#include "core/error.h"

namespace fathom {
namespace {

constexpr int max_depth = 64;

}  // namespace

RowJson parse_row(const JsonRecord& record) {
  const auto limit = [](int depth, RowJson::parse_event_t, RowJson&) {
    if (depth > max_depth) fail_input("nested more than {} deep", max_depth);
    return true;
  };
  RowJson row;
  try {
    row = RowJson::parse(record.json, limit);
  } catch (const RowJson::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 7: ..."
    const std::string_view what = error.what();
    fail_input("not valid JSON: {:.200}", what.substr(what.find("] ") + 2));
  }
  if (!row.is_object()) fail_input("is {}, not a JSON object", row.type_name());
  return row;
}

bool has_field(const RowJson& row, std::string_view key) {
  const auto found = row.find(std::string(key));
  return found != row.end() && !found->is_null();
}

const std::string& text_field(const RowJson& row, std::string_view key) {
  const auto found = row.find(std::string(key));
  if (found == row.end()) fail_input("has no '{}'", key);
  if (!found->is_string()) fail_input("'{}' is {}, not a text", key, found->type_name());
  return found->get_ref<const std::string&>();
}

const RowJson& list_field(const RowJson& row, std::string_view key) {
  const auto found = row.find(std::string(key));
  if (found == row.end()) fail_input("has no '{}'", key);
  if (!found->is_array()) fail_input("'{}' is {}, not a list", key, found->type_name());
  return *found;
}

std::string text_field_or(const RowJson& row, std::string_view key, std::string_view absent) {
  return has_field(row, key) ? text_field(row, key) : std::string(absent);
}

}  // namespace fathom
