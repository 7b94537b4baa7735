// Matrices in 8-bit floating point and their products (Micikevicius et al., FP8 Formats for Deep
// Learning, 2022). A matrix has one scale: a value is its FP8 number times the scale, which takes
// the largest magnitude of the matrix to the format's largest number ("current scaling").
//
// Tensor cores multiply FP8 only where both matrices lie along the dimension that is summed over,
// so a training step needs two of a layer's three operands in both orders:
//
//   y = x wᵀ           x [n, in],    w [out, in]
//   dx = dy w          dy [n, out],  wᵀ [in, out]
//   dw += dyᵀ x        dyᵀ [out, n], xᵀ [in, n]
//
// On a GPU from compute capability 8.9 on. On a CPU the same numbers are multiplied in f32: a
// reference, and slower than bf16.
#pragma once

#include <cstdint>

#include "core/context.h"
#include "ops/matmul.h"

namespace fathom::ops {

enum class Fp8Format : std::int8_t {
  e4m3,  // 4 bits of exponent, largest 448: weights and activations
  e5m2,  // 5 bits of exponent, largest 57344: gradients, which spread wider
};
constexpr float largest(Fp8Format format) {
  return format == Fp8Format::e4m3 ? 448.0f : 57344.0f;
}

// Rows and columns of an FP8 matrix are a multiple of this.
inline constexpr std::int64_t fp8_multiple = 16;

struct Fp8Matrix {
  Tensor values;  // [rows, cols] u8, the bits; contiguous, at a multiple of 16 bytes
  Tensor scale;   // [1] f32, of all values
  Fp8Format format = Fp8Format::e4m3;
};

// Rounds x [n, k], f32 or bf16, to the nearest numbers of `format`, and writes their scale, the
// largest |x| over the format's largest number: to `scale` [1] f32. `values` [n, k] and
// `transposed` [k, n], u8 and contiguous, get the bits; one of the two may be absent. Where x has
// an infinity or a NaN, every product with it is a NaN.
void quantize_fp8(Context& context, Tensor x, Fp8Format format, Tensor values, Tensor transposed,
                  Tensor scale);

// Which of the three a product is. Hopper's tensor cores sum in registers of some 14 bits
// (DeepSeek-V3 report, 2024, section 3.3.2): y for all of k, gradients for a part of k each, added
// up in f32.
enum class Fp8Role : std::int8_t { output, input_gradient, weight_gradient };

// y [n, m] (+)= x [n, k] · w [m, k]ᵀ, f32 or bf16; a product is added to in f32 alone.
void linear_fp8(Context& context, const Fp8Matrix& x, const Fp8Matrix& w, Tensor y, Fp8Role role,
                Accumulate accumulate = Accumulate::overwrite);

}  // namespace fathom::ops
