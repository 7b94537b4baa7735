// The files of `fathom scaling fit --out DIR`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "scaling/fit.h"

namespace fathom::scaling {

// What the names of each data set's files end in, before the extension: nothing for a fit of one
// data set, "-NAME" for several. Throws an input Error when two data sets would share their files.
std::vector<std::string> file_suffixes(std::span<const DatasetFit> fits);

// Writes into `directory`, made when absent, and returns the paths:
//   laws.json      the laws (laws_file.h); of several data sets laws-NAME.json each
//   report.html    tables, warnings and charts of all data sets
//   isoflop.svg    and so on, each chart as a picture; of several data sets isoflop-NAME.svg
//   isoflop.png    the same as pixels, if asked for (report/png.h)
enum class Pictures { svg, svg_and_png };
std::vector<std::string> write_fit(const std::string& directory, std::span<const DatasetFit> fits,
                                   Pictures pictures = Pictures::svg);

}  // namespace fathom::scaling
