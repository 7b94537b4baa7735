// The table that adamw() of several slices reads on a GPU: the slices in pieces, a block's work
// each.
#pragma once

#include <cstdint>

namespace fathom::ops {

inline constexpr std::int64_t adamw_piece_elements = 2048;

struct alignas(16) AdamWPiece {
  const float* grad;
  float *m, *v;
  void* weight;              // f32 or bf16
  std::uint16_t* remainder;  // null for f32
  std::int32_t count;        // at most adamw_piece_elements
  float weight_decay;
};

}  // namespace fathom::ops
