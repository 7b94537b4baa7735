// Finds the element that has a page's text.
#pragma once

#include <cstdint>

#include "text/html/facts.h"

namespace fathom::html {

// The smallest element that has at least `min_share` of the running text of the ones around it.
std::uint32_t densest_root(const PageFacts& page, double min_share);

// The element that the page itself marks as its text; the root of the tree when there is none.
std::uint32_t marked_root(const PageFacts& page);

// `root`, or an element around it that has little more running text before it: a summary that
// stands above the body.
std::uint32_t with_lead(const PageFacts& page, std::uint32_t root);

}  // namespace fathom::html
