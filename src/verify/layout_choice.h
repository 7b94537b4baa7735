// Layouts as a user writes them for `fathom verify`: the axes, joined by "x", and what
// else changes the order of the work, each after a "+":
//
//   1                      one rank
//   tp2                    two ranks that share each layer
//   pp2xdp2xtp2+sp+v2      eight ranks, sequence parallelism, two parts a stage
//
//   +sp +nosp              parallel.sequence_parallel
//   +pieces2               parallel.sequence_pieces
//   +zero +nozero          parallel.zero
//   +overlap +nooverlap    parallel.overlap
//   +peer +nopeer          parallel.peer_memory
//   +gpipe +1f1b +v2       parallel.schedule; v2: interleaved with 2 virtual stages
//   +none +selective +full train.recompute
//   all8                   every factorisation of 8 ranks with every combination of sequence
//                          parallelism, ZeRO-1, recomputation (none, full) and schedule
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "train/config.h"

namespace fathom {

struct LayoutChoice {
  std::string name;
  TrainConfig config;  // the user's, on this layout
  int ranks() const {
    return static_cast<int>(config.parallel.pp * config.parallel.dp * config.parallel.tp);
  }
};

// The layouts that `text` lists, separated by spaces or commas. A key that a layout does not
// name is taken from `base`. Throws an input Error that names the unknown word.
std::vector<LayoutChoice> parse_layouts(std::string_view text, const TrainConfig& base);

}  // namespace fathom
