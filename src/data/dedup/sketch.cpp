#include "data/dedup/sketch.h"

#include <algorithm>
#include <limits>

namespace fathom::dedup {

double similarity(SketchView a, SketchView b) {
  const auto limit_of = [](SketchView s) {
    return s.whole || s.hashes.empty() ? std::numeric_limits<std::uint32_t>::max()
                                       : s.hashes.back();
  };
  const std::uint32_t limit = std::min(limit_of(a), limit_of(b));
  std::size_t i = 0, j = 0, both = 0, all = 0;
  while (i < a.hashes.size() || j < b.hashes.size()) {
    const std::uint64_t x = i < a.hashes.size() ? a.hashes[i] : ~std::uint64_t{0};
    const std::uint64_t y = j < b.hashes.size() ? b.hashes[j] : ~std::uint64_t{0};
    if (std::min(x, y) > limit) break;
    both += x == y;
    ++all;
    i += x <= y;
    j += y <= x;
  }
  return all == 0 ? 0 : static_cast<double>(both) / static_cast<double>(all);
}

}  // namespace fathom::dedup
