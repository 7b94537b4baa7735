// The files that a user names: paths, directories and patterns.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// The files that `entries` stand for (a path, a directory with all below it, or a
// pattern such as a/*.txt): entries in their order, each one's files by name, none
// twice; hidden ones in directories are left out. Throws an input Error that begins
// with `owner` when there are no entries, or when one stands for no file.
std::vector<std::string> expand_paths(std::span<const std::string> entries, std::string_view owner);

}  // namespace fathom
