// MinHash signatures and their bands: which documents are worth comparing (Broder, "On the
// resemblance and containment of documents", 1997; Leskovec et al., "Mining of Massive Datasets",
// chapter 3).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dedup/config.h"

namespace fathom::dedup {

struct Banding {
  std::int64_t bands = 0, rows = 0;
};

// Chance that two documents of this similarity have an equal band: 1 - (1 - s^rows)^bands.
double candidate_probability(double similarity, Banding banding);

// The config's bands and rows; without them those with the most rows, and so the fewest needless
// comparisons, that still reach the wanted recall at the threshold with bands * rows permutations.
// Throws an input Error when not even one row reaches it.
Banding choose_banding(const MinHashConfig& config);

// The minimum of each of `permutations` hash functions over a set: two sets of similarity s have
// the same minimum with probability s.
class MinHasher {
 public:
  MinHasher(std::int64_t permutations, std::uint64_t seed);

  // `minima`: [permutations], overwritten; all ones for an empty set.
  void minima(std::span<const std::uint32_t> shingles, std::span<std::uint32_t> minima) const;

 private:
  std::vector<std::uint32_t> factors_, addends_;  // of whole vectors: padded
};

// A key for each band of a signature; keys of different bands differ. `keys`: [bands].
void band_keys(std::span<const std::uint32_t> minima, Banding banding,
               std::span<std::uint64_t> keys);

}  // namespace fathom::dedup
