// Learns merges: again and again the most frequent pair of neighbouring tokens
// becomes a token (Sennrich et al. 2016).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tokenizer/piece_counter.h"
#include "tokenizer/spec.h"

namespace fathom::tokenizer {

struct LearnOptions {
  std::size_t vocab_size = 0;       // tokens in all, the 256 bytes included
  std::uint64_t min_frequency = 2;  // a pair seen less often is left alone
  std::function<void()> on_merge;   // for progress
};

// The vocabulary (the 256 bytes in the order of their characters, then one token
// a merge) and the merges. Of pairs that are equally frequent, the one with the
// smaller ids comes first, so the result depends on the counts alone.
// `parts` hold the pieces, each in one part only.
BpeSpec learn_merges(std::span<const PieceCounter> parts, const LearnOptions& options);

}  // namespace fathom::tokenizer
