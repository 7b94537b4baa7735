// The table of what is read of each source, with its epochs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

struct SourceShare {
  std::string name;
  double tokens = 0;           // that it has
  double share = 0;            // of what is read
  std::optional<double> read;  // tokens; absent: not known
  std::string note = {};

  double epochs() const { return read.value_or(0) / tokens; }
};

// Each line begins with `prefix` and ends with a line break.
std::string reading_table(std::span<const SourceShare> sources, std::string_view prefix);

}  // namespace fathom
