// RMSNorm's backward with another number of rows a turn and of turns on their way than the
// operation has, for gpu_ops_bench.cpp.
#pragma once

#include "core/context.h"

namespace fathom::ops {

struct RmsnormVariant {
  std::int64_t rows_a_turn = 1, turns = 1;
};

// As add_rmsnorm_backward() with Incoming::add on bf16 of at most 4096 columns, a multiple
// of 8, but that the blocks' sums for dweight stay in the workspace.
void rmsnorm_backward_variant(Context& context, RmsnormVariant variant, Tensor dy, Tensor h,
                              Tensor weight, Tensor rstd, Tensor dh);

}  // namespace fathom::ops
