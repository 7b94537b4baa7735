// The kernels of ops/int8.h, whose arguments have been checked.
#pragma once

#include "ops/int8.h"

namespace fathom::ops::cpu {

void linear_int8(Context& context, Tensor x, const Int8Matrix& w, Tensor y);
void embedding_int8(Context& context, Tensor ids, const Int8Matrix& table, std::int64_t first_id,
                    Tensor y);

}  // namespace fathom::ops::cpu
