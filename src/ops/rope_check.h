// What every operation that rotates asks of its arguments.
#pragma once

#include "ops/check.h"

namespace fathom::ops {

// x: [n, heads · head_dim], whose rank is known; positions and table as of rope().
inline void check_rotation(const Check& check, const Argument& x, const Argument& positions,
                           const Argument& table) {
  check.shaped(positions, {x.tensor->shape[0]}).is(positions, DType::i32);
  check.rank(table, 2).is(table, DType::f32);
  const std::int64_t head_dim = table.tensor->shape[1];
  check.that(head_dim > 0 && head_dim % 2 == 0, "the table's width, head_dim, must be even");
  check.that(x.tensor->shape[1] % head_dim == 0, "x's width must be a multiple of head_dim");
}

}  // namespace fathom::ops
