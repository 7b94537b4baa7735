#include "ops/cpu/gemm_int8.h"

#include "core/parallel.h"
#include "ops/cpu/gemm_bf16.h"
#include "ops/cpu/instructions.h"
#include "ops/cpu/int8_rows.h"

#ifdef FATHOM_AVX512
#include <immintrin.h>
#endif

namespace fathom::ops::cpu {
namespace {

#ifdef FATHOM_AVX512
FATHOM_AVX512 __m512 scaled_integers(const std::uint8_t* integers, __m512 scale) {
  // With masks, for GCC 12 warns of undefined vectors in the other forms.
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(integers));
  const __m512i wide = _mm512_maskz_cvtepi8_epi32(0xffff, bytes);
  return _mm512_mul_ps(_mm512_maskz_cvtepi32_ps(0xffff, wide), scale);
}

FATHOM_AVX512 void read_wide_row(const Int8Matrix& w, std::int64_t row, bfloat16* to) {
  const std::int64_t blocks = w.scales.cols();
  const std::uint8_t* integers = w.integers.as<std::uint8_t>() + row * blocks * int8_block;
  const std::uint16_t* const scales = w.scales.as<std::uint16_t>() + row * blocks;
  for (std::int64_t b = 0; b < blocks; ++b, integers += int8_block, to += int8_block) {
    const __m512 scale = _mm512_set1_ps(scale_of(scales[b]));
    const __m512bh values = _mm512_cvtne2ps_pbh(scaled_integers(integers + int8_block / 2, scale),
                                                scaled_integers(integers, scale));
    _mm512_storeu_si512(to, reinterpret_cast<__m512i>(values));
  }
}
#endif

void read_row(const Int8Matrix& w, std::int64_t row, bfloat16* to) {
#ifdef FATHOM_AVX512
  if (widest_instructions() == Instructions::avx512) return read_wide_row(w, row, to);
#endif
  read_int8_row(w, row, 0, w.integers.cols(), to);
}

void read_rows(const Int8Matrix& w, Tensor to) {
  parallel_for(to.rows(), 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      read_row(w, row, to.as<bfloat16>() + row * to.row_stride);
    }
  });
}

}  // namespace

bool linear_int8_in_bf16(Context& context, Tensor x, const Int8Matrix& w, Tensor y) {
  if (x.dtype != DType::bf16 || !processor_has_bf16()) return false;
  // What remains of the workspace is for the product's own packing.
  const std::size_t room = (context.workspace.capacity() - context.workspace.mark()) / 2;
  if (static_cast<std::size_t>(w.integers.elements()) * sizeof(bfloat16) > room) return false;
  const ArenaScope scope(context.workspace);
  const Tensor rounded = context.workspace.take(DType::bf16, w.integers.shape);
  read_rows(w, rounded);
  return gemm_in_bf16(context, {x}, {rounded, true}, y, Accumulate::overwrite);
}

}  // namespace fathom::ops::cpu
