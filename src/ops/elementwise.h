// Copies, sums and fills.
#pragma once

#include <cstdint>

#include "core/context.h"

namespace fathom::ops {

// to = from, converting between f32 and bf16; same shape, rows may lie apart.
void convert(Context& context, Tensor from, Tensor to);

// out = a + b, or out += a where b is out. f32 or bf16, one type.
void add(Context& context, Tensor a, Tensor b, Tensor out);

// x = value. f32 or bf16, rows may lie apart.
void fill(Context& context, Tensor x, float value);

// Which part of a global matrix fill_normal() fills, and with which numbers.
struct NormalFill {
  float standard_deviation = 1;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;                      // which tensor: stream_of(its global name)
  std::int64_t first_row = 0, first_column = 0;  // of x in the global matrix
  std::int64_t global_columns = 0;
};
// x [rows, columns] = normal numbers with mean 0 that depend only on the seed, the
// stream and the element's place in the global matrix (Philox at its flat index,
// Box and Muller's transform; ops/normal.h says which word gives which element), so
// that any slice of any layout on any device gets the same. Element i of the global
// matrix is number i % 4 of Philox block i / 4.
void fill_normal(Context& context, Tensor x, const NormalFill& fill);

}  // namespace fathom::ops
