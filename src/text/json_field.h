// One string out of a line of JSON, without building a tree of the rest. The syntax is
// that of Python's json: NaN, Infinity, numbers of any size and lone surrogates are
// fine, and so are bytes that are no UTF-8.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace fathom {

struct JsonField {
  enum class Found {
    text,           // of one of the keys
    bare_text,      // the line is a string, not an object
    absent,         // none of the keys is there
    other_type,     // a key is there, but holds no string
    not_an_object,  // nor a string
    bad_syntax,
  };

  Found found = Found::absent;
  std::string text;        // unescaped; a lone surrogate has become U+FFFD
  std::size_t column = 0;  // of bad syntax, from 1
};

// The string under the first of `names` that has one at the top level of the object
// `json`; of equal keys the last counts. The whole line is checked.
JsonField find_json_text(std::string_view json, std::span<const std::string> names);

// Bytes of the JSON value that `text` begins with; text.size() when the value goes on
// beyond the text, npos when the text is no JSON.
std::size_t json_value_end(std::string_view text);

}  // namespace fathom
