// The lines of config_help() (core/config.h), read back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom::cli {

struct ConfigLine {
  std::string key, value, help;  // "train.steps", "0", "optimizer steps"
};

// "  train.steps   0   optimizer steps"; the value may be a string or a list with spaces in it.
ConfigLine parse_config_line(std::string_view line);

}  // namespace fathom::cli
