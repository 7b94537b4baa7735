// The warp-wide instructions of tensor cores (Ampere and later) that our attention
// kernels are made of, and tiles of bf16 in shared memory as they like them.
//
// mma: D [16, 8] f32 += A [16, 16] B [16, 8], bf16. Lane l holds of
//   D  rows l/4 and l/4 + 8, columns 2 (l%4) and the next: d[0..1], d[2..3]
//   A  the same rows; columns 2 (l%4), the next, and both + 8: a[0], a[1] (row + 8), a[2], a[3]
//   B  rows 2 (l%4), the next: b0, both + 8: b1; column l/4
// so a D, rounded, is half of an A.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>

#ifndef FATHOM_EMULATED_BLOCK  // tests/ops/emulated_block.h has its own
#include "ops/cuda/async_copy.h"
#endif

namespace fathom::ops::cuda {

inline constexpr float log2_of_e = 1.44269504f;

#ifndef FATHOM_EMULATED_BLOCK  // tests/ops/emulated_block.h has its own
__device__ inline void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Four 8 x 8 matrices; lanes 8 i to 8 i + 7 give the addresses of the rows of matrix i.
__device__ inline void load_matrices(unsigned (&x)[4], const void* row) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(address)
               : "memory");
}
__device__ inline void load_transposed(unsigned (&x)[4], const void* row) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(address)
               : "memory");
}

__device__ inline float exp2_of(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}
#endif

__device__ inline unsigned pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  unsigned bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}

// Rows of D numbers in shared memory, in pieces of 16 bytes whose order within a row
// depends on the row: so 8 rows of the same piece lie in different banks.
template <int D>
struct Tile {
  static constexpr int pieces = D / 8;
  static constexpr int bytes_of(int rows) { return rows * D * 2; }

  uint4* data;

  __device__ uint4* at(int row, int piece) const {
    return data + row * pieces + (piece ^ (row & 7));
  }

  // A: rows [row, row + 16), numbers [16 k, 16 k + 16).
  __device__ void load_a(unsigned (&a)[4], int row, int k) const {
    const int lane = threadIdx.x % 32;
    load_matrices(a, at(row + lane % 16, 2 * k + lane / 16));
  }
  // The transpose of rows [row, row + 16), numbers [16 k, 16 k + 16), as two B: columns
  // [row, row + 8) in b[0..1], the next 8 in b[2..3].
  __device__ void load_b(unsigned (&b)[4], int row, int k) const {
    const int lane = threadIdx.x % 32, matrix = lane / 8;
    load_matrices(b, at(row + matrix / 2 * 8 + lane % 8, 2 * k + matrix % 2));
  }
  // Rows [row, row + 16), numbers [16 n, 16 n + 16), as two B: numbers [16 n, 16 n + 8) in
  // b[0..1], the next 8 in b[2..3].
  __device__ void load_b_rows(unsigned (&b)[4], int row, int n) const {
    const int lane = threadIdx.x % 32, matrix = lane / 8;
    load_transposed(b, at(row + matrix % 2 * 8 + lane % 8, 2 * n + matrix / 2));
  }

  // Starts to fill rows [0, count) by all `threads` threads of the block; from(row) is the
  // address of a row, null for zeros.
  template <class From>
  __device__ void fill(int count, int threads, From&& from, const void* somewhere) const {
    for (int i = threadIdx.x; i < count * pieces; i += threads) {
      const int row = i / pieces, piece = i % pieces;
      const __nv_bfloat16* const source = from(row);
      copy_async(at(row, piece), source ? source + 8 * piece : somewhere, source != nullptr);
    }
  }
};

}  // namespace fathom::ops::cuda
