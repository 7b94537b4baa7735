// Character references of HTML: &amp;, &#8212;, &#x4e2d;.
#pragma once

#include <string>
#include <string_view>

namespace fathom::html {

// Appends `text` with its references decoded. Names are HTML 4's and those of ASCII punctuation;
// others, and what only looks like a reference, stay as they are. Numbers of no character become
// U+FFFD, and those from 128 to 159 mean windows-1252, as in browsers.
void append_decoded(std::string_view text, std::string& out);
std::string decoded(std::string_view text);

}  // namespace fathom::html
