// Finds the content of a page among what the site puts around it.
#pragma once

#include <cstdint>

#include "text/html/facts.h"

namespace fathom::html {

// Drops what is not content, and returns the element that has the rest.
std::uint32_t find_content(PageFacts& page);

}  // namespace fathom::html
