// Text of a part of a page, for people and models to read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/html/facts.h"

namespace fathom::html {

// The text below `root` that is not dropped, in the manner of Markdown: paragraphs with an empty
// line between them, "## " before headings, "- " before items, fences around code, and a line for
// each row of a table of data, with "| " before each cell. Blanks are one space each, but in code.
std::string render(const PageFacts& page, std::uint32_t root);

// A text's blanks as one space each, without any at its ends.
std::string collapsed(std::string_view text);

}  // namespace fathom::html
