// The concrete shape, layers × width, of a model of given scale.
//
// Depth and width go by the report's models: the ladder 8 × 512, 12 × 768, 24 × 1024, 24 × 2048
// (arXiv 2401.02954, section 3), and 30 × 4096 and 95 × 8192 of the 7B and 67B. Between them the
// width per layer changes evenly on logarithmic scales; beyond the largest it stays. Models smaller
// than the smallest have its 8 layers and are narrower: with few layers they learn some things late,
// or never, and between 7 and 9 layers losses differ by up to 1 % of what M says, as much as laws
// have to tell apart (docs/scaling-laws.md, the third and fourth ladder). Only below 8 × 64 are there
// fewer.
#pragma once

#include <cstdint>

#include "model/config.h"

namespace fathom::scaling {

// The shape whose M = 72·L·d² + 12·L·d·T is nearest to `model_flops` while its proportions stay
// near the report's. Sizes suit the hardware: a width of a multiple of 32, from 512 on of 128, in
// larger models of more; heads of 64, from 2048 on of 128; where 64 does not divide the width, of
// the nearest multiple of 8 that does; MLP 8/3·d rounded up to 16, so that a narrow model has what M
// says, from 512 on to 64, from 4096 on to 256; from 8192 on 8 key heads, as in the 67B.
// max_position is T; vocab_size stays 0, the tokenizer's. Throws an input Error when M is not that
// of 1 × 64 to 512 × 65536.
ModelConfig shape_for(double model_flops, std::int64_t sequence_length);

// M of the smallest shape, 1 × 64.
double smallest_model_flops(std::int64_t sequence_length);

}  // namespace fathom::scaling
