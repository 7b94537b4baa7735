// How the sources of fine-tuning put segments into a batch, texts that do not see each other.
#pragma once

#include <cstdint>

#include "data/batch.h"

namespace fathom {

// Target of a position whose prediction is not counted.
inline constexpr std::int32_t no_target = -1;

// Adds the positions of a segment of `tokens` tokens, whose inputs are the batch's last ones, and
// where it ends.
void end_segment(std::int64_t tokens, Batch& batch);

// Adds a segment of `tokens` tokens that fill up a row; none for 0.
void append_padding(std::int64_t tokens, Batch& batch);

}  // namespace fathom
