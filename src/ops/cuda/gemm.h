// A matrix product through cuBLASLt, its algorithm chosen by measurement.
#pragma once

#include <compare>
#include <cstdint>

#include "core/context.h"

namespace fathom::ops::cuda {

enum class Transpose : std::int8_t { no, yes };

// What an algorithm is chosen for: d [m, n] = op(a) [m, k] · op(b) [k, n] + beta · d,
// all column-major as cuBLAS counts, with `stride` elements between columns.
struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0;
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  DType operands = DType::f32, product = DType::f32;
  std::int64_t stride_a = 0, stride_b = 0, stride_d = 0;
  int beta = 0;           // 0 or 1
  int alignment_a = 256;  // bytes, powers of two up to 256
  int alignment_b = 256;
  int alignment_d = 256;

  auto operator<=>(const GemmShape&) const = default;
};

// The sum is in f32; f32 operands are not rounded on the way. Sets the alignments
// from the addresses.
void gemm(Context& context, GemmShape shape, const void* a, const void* b, void* d);

}  // namespace fathom::ops::cuda
