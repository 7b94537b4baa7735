// File name patterns as a shell and Python's glob read them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// Whether `path` holds any of the characters * ? [ {.
bool is_pattern(std::string_view path);

// `text` once for each choice of its braces: "a{b,c}d" gives "abd" and "acd". Braces
// without a comma stay.
std::vector<std::string> expand_braces(const std::string& text);

// Existing paths (files and directories, a dangling link too) that `pattern` matches,
// by name and none twice. * and ? match within a name, [a-z] and [!a-z] one character,
// ** any number of directories (none too); {a,b} is expanded first. A name that begins
// with a dot is matched only by a pattern that does. ** enters linked directories, but
// none twice. Throws an input Error when a directory on the way cannot be read.
std::vector<std::string> match_pattern(const std::string& pattern);

// Names in a directory, sorted. Throws an input Error when it cannot be read.
std::vector<std::string> sorted_names(const std::string& directory);

// `directory` and `name` joined by one slash; `name` alone when `directory` is empty.
std::string join_path(const std::string& directory, std::string_view name);

}  // namespace fathom
