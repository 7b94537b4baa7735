// The sizes in which a GPU takes a step: libraries choose an algorithm, and work is recorded, for
// each size anew, so that a step is filled up to one of a few sizes. Tokens that fill up are stored
// nowhere and never drawn.
#pragma once

#include <cstdint>

#include "core/device.h"

namespace fathom::infer {

// The least size that holds `count` rows: 1, 2, 4, 8, then by halves from a power of 2 to the
// next, in multiples of 8. `count` itself on a CPU, where more rows cost more time.
std::int64_t step_size(Device device, std::int64_t count);

// The least power of 2 from 256 on that holds a context of `tokens`, but not more than `most`.
std::int64_t context_size(std::int64_t tokens, std::int64_t most);

}  // namespace fathom::infer
