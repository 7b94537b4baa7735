// Tells tables of data from those that only place things on a page.
#pragma once

#include <cstdint>
#include <vector>

#include "text/html/facts.h"

namespace fathom::html {

// For each node whether it is a cell of a table of data: one with two cells or more in a row, no
// table inside, and no cell with much running text. Linear in the page's size.
std::vector<bool> data_cells(const PageFacts& page);

}  // namespace fathom::html
