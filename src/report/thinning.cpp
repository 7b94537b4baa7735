#include "report/thinning.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace fathom {
namespace {

constexpr std::size_t few = 3000;  // up to this many points, all are kept
constexpr double even_buckets = 1000, log_buckets = 400;
constexpr double log_decades = 6;  // that the logarithmic buckets cover

// The bucket of x, of either kind.
std::pair<double, double> bucket_of(double x, double first, double last) {
  const double share = (x - first) / (last - first);
  const double decades = share > 0 ? log_decades + std::log10(share) : -1;
  return {std::floor(share * even_buckets),
          std::floor(std::max(-1.0, decades) * log_buckets / log_decades)};
}

// Appends the points of [begin, end) that represent the bucket.
void keep_bucket(const std::vector<double>& y, std::size_t begin, std::size_t end,
                 std::vector<std::size_t>& kept) {
  std::size_t low = end, high = end, gap = end;
  for (std::size_t i = begin; i < end; ++i) {
    if (!std::isfinite(y[i])) {
      gap = std::min(gap, i);
      continue;
    }
    if (low == end || y[i] < y[low]) low = i;
    if (high == end || y[i] > y[high]) high = i;
  }
  std::size_t chosen[] = {begin, low, high, gap};
  std::sort(std::begin(chosen), std::end(chosen));
  for (const std::size_t i : chosen) {
    if (i < end && (kept.empty() || kept.back() < i)) kept.push_back(i);
  }
}

}  // namespace

std::vector<std::size_t> thinned(const std::vector<double>& x, const std::vector<double>& y) {
  std::vector<std::size_t> kept;
  if (x.size() <= few || !(x.back() > x.front())) {
    kept.resize(x.size());
    std::iota(kept.begin(), kept.end(), std::size_t{0});
    return kept;
  }
  std::size_t begin = 0;
  while (begin < x.size()) {
    const auto bucket = bucket_of(x[begin], x.front(), x.back());
    std::size_t end = begin + 1;
    while (end < x.size() && bucket_of(x[end], x.front(), x.back()) == bucket) ++end;
    keep_bucket(y, begin, end, kept);
    begin = end;
  }
  return kept;
}

}  // namespace fathom
