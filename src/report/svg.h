// A chart as a picture of its own, for print and for pages of others: an SVG file that needs no
// script and no font of its own. Vector graphics, so that it is sharp at any size.
#pragma once

#include <string>

#include "report/chart.h"

namespace fathom {

// The chart with its title, named axes with units, a grid, and a legend beside it. Points have a
// shape for each colour, so that they differ in black and white too, and bars from low to high;
// lines have a band from low to high. Values that an axis cannot show (not finite, or not positive
// on a logarithmic one) are left out, and empty when none is left. Throws a run-time Error for a
// series whose columns differ in length.
std::string chart_svg(const Chart& chart);

}  // namespace fathom
