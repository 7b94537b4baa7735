// Thins long lines before they are written into a page: 100,000 steps would take
// megabytes, and a screen shows a hundredth of them.
#pragma once

#include <cstddef>
#include <vector>

namespace fathom {

// Indices, ascending, of the points of a line to keep: all when there are few, otherwise
// the first, lowest, highest and first non-finite point of each bucket of x, so that
// outliers and gaps survive. x ascends. Buckets are even in x and, near the beginning,
// even in log(x - x[0]), which preserves detail there on a logarithmic axis and when
// zoomed in. Keeps about 6000 points at most.
std::vector<std::size_t> thinned(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace fathom
