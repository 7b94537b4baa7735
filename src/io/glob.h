// File name patterns, with the meaning that they have in a shell and in Python's glob.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// Whether `path` holds any of the characters * ? [ {.
bool is_pattern(std::string_view path);

// One text for each choice of the braces in `text`: "a{b,c}d" gives "abd" and "acd".
// Braces without a comma stay as they are.
std::vector<std::string> expand_braces(const std::string& text);

// Existing paths that `pattern` matches (files, directories, dangling links), sorted and
// without repetition. {a,b} is expanded first. * matches any characters within a name, ? and
// [a-z] and [!a-z] one character of UTF-8, ** zero or more directories. A pattern that ends in
// a slash matches directories only. A name that begins with a dot needs a pattern that does.
// ** enters linked directories, but none twice. Throws an input Error when a directory on the
// way cannot be read.
std::vector<std::string> match_pattern(const std::string& pattern);

// Names in a directory, sorted. Throws an input Error when it cannot be read.
std::vector<std::string> sorted_names(const std::string& directory);

// `directory` and `name` joined by one slash; `name` alone when `directory` is empty.
std::string join_path(const std::string& directory, std::string_view name);

}  // namespace fathom
