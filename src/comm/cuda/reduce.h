// to = the sum or the maximum of `count` arrays on the GPU, in their order; sums in f32 (of
// i32 in i32), as on the CPU. `to` may be one of them.
#pragma once

#include <cstdint>

#include "comm/communicator.h"

namespace fathom::comm_cuda {

inline constexpr int max_parts = 64;

void reduce_parts(Stream stream, const void* const* parts, int count, Tensor to,
                  Reduction reduction);

}  // namespace fathom::comm_cuda
