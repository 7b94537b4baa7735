#include "data/clean/score_histogram.h"

#include <cmath>

namespace fathom::clean {

void ScoreHistogram::add(double score) {
  // 0.29 times 100 is a little less than 29.
  ++documents[static_cast<std::int64_t>(std::floor(score * 100 + 1e-6))];
}

void ScoreHistogram::add(const ScoreHistogram& other) {
  for (const auto& [hundredths, count] : other.documents) documents[hundredths] += count;
}

std::int64_t ScoreHistogram::total() const {
  std::int64_t sum = 0;
  for (const auto& [hundredths, count] : documents) sum += count;
  return sum;
}

double ScoreHistogram::below(double share) const {
  const double wanted = share * static_cast<double>(total());
  std::int64_t before = 0;
  for (const auto& [hundredths, count] : documents) {
    before += count;
    if (static_cast<double>(before) >= wanted) return static_cast<double>(hundredths + 1) / 100;
  }
  return 0;
}

}  // namespace fathom::clean
