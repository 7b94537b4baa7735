// Learns the merges of byte-pair encoding: the most frequent pair of neighbouring tokens
// becomes a token, again and again (Sennrich et al. 2016).
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

// Returns the vocabulary (the 256 bytes in the order of their characters, then one
// token per merge) and the merges. Of equally frequent pairs, the one with the smaller
// ids merges first, so the result depends on the counts alone. Each piece is in one of
// `parts` only.
BpeSpec learn_merges(std::span<const PieceCounter> parts, const LearnOptions& options);

}  // namespace fathom::tokenizer
