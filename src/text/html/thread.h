// Pages on which many people write: forums, questions with answers.
#pragma once

#include <cstdint>

#include "text/html/facts.h"

namespace fathom::html {

// Whether posts are the page's content. `article`: running text of the article found without them.
bool is_thread(const PageFacts& page, std::uint32_t article);

// Drops what is not part of a post, and returns the element that has them.
std::uint32_t find_thread(PageFacts& page);

}  // namespace fathom::html
