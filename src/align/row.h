// One row of a file of chat data, and checked access to its fields.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "text/records.h"

namespace fathom {

using RowJson = nlohmann::ordered_json;

// The JSON object of a record. Throws an input Error for what is no object, or nested too deeply.
RowJson parse_row(const JsonRecord& record);

// Whether the row has the key with a value that is not null.
bool has_field(const RowJson& row, std::string_view key);
// Each throws an input Error that names the key when the value has another type or, for the
// first two, is absent.
const std::string& text_field(const RowJson& row, std::string_view key);
const RowJson& list_field(const RowJson& row, std::string_view key);
std::string text_field_or(const RowJson& row, std::string_view key, std::string_view absent);

}  // namespace fathom
