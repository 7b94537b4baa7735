// A matrix product through cuBLASLt, its algorithm chosen by measurement.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "core/context.h"

namespace fathom::ops::cuda {

enum class Transpose : std::int8_t { no, yes };

// What a library's products take beside the types of tensors.
enum class OperandType : std::int8_t { f32, bf16, e4m3, e5m2 };
constexpr std::string_view name_of(OperandType type) {
  switch (type) {
    case OperandType::f32:
      return "f32";
    case OperandType::bf16:
      return "bf16";
    case OperandType::e4m3:
      return "e4m3";
    case OperandType::e5m2:
      return "e5m2";
  }
  return "?";
}

// What an algorithm is chosen for: d [m, n] = op(a) [m, k] · op(b) [k, n] + beta · d,
// all column-major as cuBLAS counts, with `stride` elements between columns.
struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0;
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  OperandType type_a = OperandType::f32, type_b = OperandType::f32;
  DType product = DType::f32;
  std::int64_t stride_a = 0, stride_b = 0, stride_d = 0;
  int beta = 0;           // 0 or 1
  int alignment_a = 256;  // bytes, powers of two up to 256
  int alignment_b = 256;
  int alignment_d = 256;
  bool fast_sum = false;  // FP8 alone: of ops::Fp8Role::output

  auto operator<=>(const GemmShape&) const = default;
};

// The operands' scales, [1] f32 on the device; both null but for FP8.
struct GemmScales {
  const float *a = nullptr, *b = nullptr;
};

OperandType operand_type(DType dtype);

// The sum is in f32; f32 operands are not rounded on the way. Sets the alignments
// from the addresses.
void gemm(Context& context, GemmShape shape, const void* a, const void* b, void* d,
          const GemmScales& scales = {});

}  // namespace fathom::ops::cuda
