// Long lines are thinned before they are written into a page: 100,000 steps would be
// megabytes of which a screen shows a hundredth.
#pragma once

#include <cstddef>
#include <vector>

namespace fathom {

// Indices, ascending, of the points of a line to keep: all when there are few,
// otherwise of each bucket of x its first point, its lowest, its highest, and its first
// that is not finite: outliers and gaps survive. Buckets are even in x and, below that,
// even in log(x - x[0]), so that the beginning keeps its detail on a logarithmic axis
// and when zoomed in. x ascends. Keeps at most about 6000.
std::vector<std::size_t> thinned(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace fathom
