// A document's smallest shingle hashes, by which the similarity of two documents is measured
// without their texts (Beyer et al., "On synopses for distinct-value estimation under multiset
// operations", SIGMOD 2007).
#pragma once

#include <cstdint>
#include <span>

namespace fathom::dedup {

struct SketchView {
  std::span<const std::uint32_t> hashes;  // ascending, different
  bool whole = true;                      // all of the document's; else only the smallest
};

// Jaccard similarity of the two sets of shingles: exact when both sketches are whole, else
// estimated with a standard error of at most sqrt(s (1 - s) / n) from the n hashes below the
// largest of a sketch that is not whole. 0 for two empty sets.
double similarity(SketchView a, SketchView b);

}  // namespace fathom::dedup
