// Character references of HTML: &amp;, &#8212;, &#x4e2d;.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom::html {

// Where references are: in text the longest known name counts even when letters follow without a
// semicolon ("&copy2024"), in an attribute, which may be an address, only a whole word.
enum class ReferencesOf { text, attribute };

// Appends `text` with its references decoded. Names are HTML 4's and those of ASCII punctuation;
// others, and what only looks like a reference, stay as they are. Numbers of no character become
// U+FFFD, and those from 128 to 159 mean windows-1252, as in browsers.
void append_decoded(std::string_view text, std::string& out, ReferencesOf of = ReferencesOf::text);
std::string decoded_attribute(std::string_view value);

// U+00A0 and U+3000, which pages indent paragraphs with, become one space each, from `begin` on.
void make_spaces(std::string& text, std::size_t begin = 0);

}  // namespace fathom::html
