// A chart's SVG picture as pixels, for places that show no SVG. librsvg's program `rsvg-convert`
// (Debian: librsvg2-bin) makes them where it is installed: a picture is no reason to refuse a run.
#pragma once

#include <string>

namespace fathom {

// Whether `rsvg-convert` is in one of the folders of $PATH.
bool can_write_png();

// Draws the SVG file `svg` into `png`, two pixels for each of the SVG's, on white; the file appears
// whole or not at all. Throws a runtime Error that names the picture when the program is missing or
// fails.
void write_png(const std::string& svg, const std::string& png);

}  // namespace fathom
