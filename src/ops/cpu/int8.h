// The kernels of ops/int8.h, whose arguments have been checked.
#pragma once

#include "ops/cpu/instructions.h"
#include "ops/int8.h"

namespace fathom::ops::cpu {

void linear_int8(Context& context, Tensor x, const Int8Matrix& w, Tensor y);
// The same by these instructions, instead of the most that the processor has.
void linear_int8_with(Instructions instructions, Context& context, Tensor x, const Int8Matrix& w,
                      Tensor y);
void embedding_int8(Context& context, Tensor ids, const Int8Matrix& table, std::int64_t first_id,
                    Tensor y);

}  // namespace fathom::ops::cpu
