// Finds one string in a line of JSON without building a tree. Accepts the syntax of Python's
// json module: NaN, Infinity, numbers of any size and lone surrogates. Accepts invalid UTF-8
// too.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

struct JsonField {
  enum class Found {
    text,           // one of the keys holds a string
    bare_text,      // the line is a string instead of an object
    absent,         // the object has none of the keys
    other_type,     // it has a key, whose value is not a string
    not_an_object,  // the line is neither an object nor a string
    bad_syntax,
  };

  Found found = Found::absent;
  std::string text;                // unescaped; a lone surrogate becomes U+FFFD
  std::size_t column = 0;          // of the syntax error, from 1
  std::size_t begin = 0, end = 0;  // of the string in the line, quotes included
};

// Looks for the keys `names` at the top level of the object `json`, and returns the string
// of the first of them that has one. Of equal keys in the object the last counts. Checks the
// syntax of the whole line.
JsonField find_json_text(std::string_view json, std::span<const std::string> names);

// Length of the JSON value at the beginning of `text`; text.size() when the text ends inside
// the value, npos when it is not JSON.
std::size_t json_value_end(std::string_view text);

}  // namespace fathom
