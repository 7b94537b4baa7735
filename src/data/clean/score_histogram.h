// How the scores of documents are spread: what a bound or an edge of buckets is chosen by.
#pragma once

#include <cstdint>
#include <map>

namespace fathom::clean {

struct ScoreHistogram {
  std::map<std::int64_t, std::int64_t> documents;  // by the hundredths of the score, rounded down

  void add(double score);
  void add(const ScoreHistogram& other);
  std::int64_t total() const;
  // The lowest whole hundredth below which at least `share` of the documents are; 0 of none.
  double below(double share) const;
};

}  // namespace fathom::clean
