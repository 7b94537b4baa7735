// Rounding to FP8: the largest magnitude in one pass over memory, the numbers in both orders in
// another.
#include <cuda_fp8.h>

#include <algorithm>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"

namespace fathom::ops::cuda {
namespace {

constexpr int threads = 256;
constexpr int width = 8;  // values that a thread takes at once
constexpr unsigned in_flight = 4;          // times that, before it compares
constexpr unsigned most_blocks = 132 * 8;  // 8 for each multiprocessor of an H100

// --- The largest magnitude. As bits without a sign, magnitudes are in order, with infinity and NaN
// above all numbers: an integer's maximum finds it, in any order of the threads.

__device__ unsigned magnitude_bits(float x) {
  return __float_as_uint(x) & 0x7fffffffu;
}

// Eight values, W at a time.
template <int W, class T>
__device__ void load_eight(const T* from, float (&x)[width]) {
#pragma unroll
  for (int i = 0; i < width; i += W) {
    float pack[W];
    load_pack(from + i, pack);
#pragma unroll
    for (int k = 0; k < W; ++k) x[i + k] = pack[k];
  }
}

template <class T, int W>
__global__ void largest_magnitude_kernel(Rows<const T> x, unsigned count, unsigned packs,
                                         unsigned* most) {
  unsigned here = 0;
  const unsigned step = gridDim.x * threads;
  for (unsigned i = blockIdx.x * threads + threadIdx.x; i < count; i += step * in_flight) {
    float values[in_flight][width] = {};
#pragma unroll
    for (unsigned k = 0; k < in_flight; ++k) {
      const unsigned pack = i + k * step;
      if (pack < count) load_eight<W>(x[pack / packs] + pack % packs * width, values[k]);
    }
#pragma unroll
    for (unsigned k = 0; k < in_flight; ++k) {
#pragma unroll
      for (int v = 0; v < width; ++v) here = max(here, magnitude_bits(values[k][v]));
    }
  }
  here = __reduce_max_sync(~0u, here);
  __shared__ unsigned parts[threads / 32];
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = here;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  here = __reduce_max_sync(~0u, threadIdx.x < threads / 32 ? parts[threadIdx.x] : 0u);
  if (threadIdx.x == 0) atomicMax(most, here);
}

// --- Rounding. A block takes a tile of 128 rows and 64 columns, a thread 4 rows of 8 columns.

constexpr int tile_rows = 128, tile_cols = 64, thread_rows = 4;
constexpr int column_groups = tile_cols / width;

template <__nv_fp8_interpretation_t format>
__device__ unsigned round_four(const float* x) {
  const unsigned low = __nv_cvt_float2_to_fp8x2({x[0], x[1]}, __NV_SATFINITE, format);
  const unsigned high = __nv_cvt_float2_to_fp8x2({x[2], x[3]}, __NV_SATFINITE, format);
  return low | high << 16;
}

// The bytes number `byte` of four words.
__device__ unsigned gather_bytes(const unsigned (&words)[thread_rows], int byte) {
  const unsigned selector = byte | (byte + 4) << 4;
  const unsigned low = __byte_perm(words[0], words[1], selector);
  const unsigned high = __byte_perm(words[2], words[3], selector);
  return __byte_perm(low, high, 0x5410);
}

template <__nv_fp8_interpretation_t format>
__device__ constexpr float format_largest() {
  return largest(format == __NV_E4M3 ? Fp8Format::e4m3 : Fp8Format::e5m2);
}

// `most`: the bits of the largest magnitude. `values` and `transposed` may be null.
template <class T, int W, __nv_fp8_interpretation_t format>
__global__ void __launch_bounds__(threads)
    round_kernel(Rows<const T> x, int rows, int cols, const unsigned* most, std::uint8_t* values,
                 std::uint8_t* transposed, float* scale) {
  __shared__ unsigned tile[tile_cols][tile_rows / thread_rows + 1];
  const float largest_here = __uint_as_float(*most);
  if (blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0) {
    *scale = largest_here / format_largest<format>();
  }
  // The inverse of a subnormal number is finite too; where the largest is NaN, the scale says so.
  const float inverse =
      largest_here > 0 ? fminf(format_largest<format>() / largest_here, 3.402823466e38f) : 0.0f;
  const int group = threadIdx.x % column_groups, four = threadIdx.x / column_groups;
  const int first_row = blockIdx.y * tile_rows + four * thread_rows;
  const int first_col = blockIdx.x * tile_cols + group * width;
  unsigned words[2][thread_rows] = {};
  // Sizes are multiples of 16: four rows of eight columns are there or are not.
  if (first_row < rows && first_col < cols) {
#pragma unroll
    for (int r = 0; r < thread_rows; ++r) {
      float eight[width];
      load_eight<W>(x[first_row + r] + first_col, eight);
#pragma unroll
      for (int k = 0; k < width; ++k) eight[k] *= inverse;
      words[0][r] = round_four<format>(eight);
      words[1][r] = round_four<format>(eight + 4);
    }
    if (values) {
#pragma unroll
      for (int r = 0; r < thread_rows; ++r) {
        *reinterpret_cast<uint2*>(values + std::int64_t{first_row + r} * cols + first_col) =
            make_uint2(words[0][r], words[1][r]);
      }
    }
  }
  if (!transposed) return;
#pragma unroll
  for (int k = 0; k < width; ++k) {
    tile[group * width + k][four] = gather_bytes(words[k / 4], k % 4);
  }
  __syncthreads();
  const int lane = threadIdx.x % 32;
  const int row = blockIdx.y * tile_rows + lane * thread_rows;
  if (row >= rows) return;
  for (int c = threadIdx.x / 32; c < tile_cols; c += threads / 32) {
    const int col = blockIdx.x * tile_cols + c;
    if (col >= cols) return;
    *reinterpret_cast<unsigned*>(transposed + std::int64_t{col} * rows + row) = tile[c][lane];
  }
}

template <class T, int W>
void find_largest(const Context& context, Tensor x, unsigned* most) {
  const cudaStream_t stream = stream_of(context);
  fathom::cuda::check(cudaMemsetAsync(most, 0, sizeof *most, stream), "quantize_fp8");
  const auto packs = static_cast<unsigned>(x.cols() / width);
  const auto count = static_cast<unsigned>(x.rows()) * packs;
  const unsigned blocks = std::min(most_blocks, blocks_for(count, threads * in_flight));
  largest_magnitude_kernel<T, W>
      <<<blocks, threads, 0, stream>>>(rows_of<const T>(x), count, packs, most);
  check_launch("quantize_fp8");
}

template <class T, int W, __nv_fp8_interpretation_t format>
void round_all(const Context& context, Tensor x, const unsigned* most, Tensor values,
               Tensor transposed, Tensor scale) {
  const dim3 grid(blocks_for(x.cols(), tile_cols), blocks_for(x.rows(), tile_rows));
  round_kernel<T, W, format><<<grid, threads, 0, stream_of(context)>>>(
      rows_of<const T>(x), static_cast<int>(x.rows()), static_cast<int>(x.cols()), most,
      values ? data_of<std::uint8_t>(values) : nullptr,
      transposed ? data_of<std::uint8_t>(transposed) : nullptr, data_of<float>(scale));
  check_launch("quantize_fp8");
}

template <class T, int W>
void quantize(Context& context, Tensor x, Fp8Format format, Tensor values, Tensor transposed,
              Tensor scale) {
  const ArenaScope scope(context.workspace);
  auto* const most = data_of<unsigned>(context.workspace.take(DType::u32, {1}));
  find_largest<T, W>(context, x, most);
  if (format == Fp8Format::e4m3) {
    round_all<T, W, __NV_E4M3>(context, x, most, values, transposed, scale);
  } else {
    round_all<T, W, __NV_E5M2>(context, x, most, values, transposed, scale);
  }
}

}  // namespace

void quantize_fp8(Context& context, Tensor x, Fp8Format format, Tensor values, Tensor transposed,
                  Tensor scale) {
  if (x.elements() == 0) return;
  dispatch_native(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto w) {
          quantize<T, decltype(w)::value>(context, x, format, values, transposed, scale);
        },
        x);
  });
}

}  // namespace fathom::ops::cuda
