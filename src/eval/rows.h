// The rows of a task's data.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/task_config.h"

namespace fathom::eval {

struct Row {
  std::shared_ptr<nlohmann::ordered_json> fields;  // an object
  std::string where;   // "file:line", for messages
  std::string subset;  // the part of the task; empty without parts
};

// All rows of the files below `directory`, in the files' order. Throws an input Error that names
// file and line for a file that cannot be read or is not UTF-8, a row that is no object, a table's row with another
// number of columns, and when there is no row at all. `owner` begins messages that no file explains.
std::vector<Row> read_rows(const DataConfig& data, const std::string& directory,
                           const std::string& owner);

}  // namespace fathom::eval
