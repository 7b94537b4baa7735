// Copies, sums and fills: one pack a thread.
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/elementwise.h"
#include "ops/normal.h"

namespace fathom::ops::cuda {
namespace {

constexpr int threads = 256;

// Calls f(row, col) for pack i of a matrix with `packs` packs a row.
struct Packs {
  std::int64_t packs, total;
  int width;

  template <class F>
  __device__ void visit(F&& f) const {
    const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
    if (i >= total) return;
    const std::int64_t row = i < packs ? 0 : i / packs;
    f(row, (i - row * packs) * width);
  }
  unsigned blocks() const { return blocks_for(total, threads); }
};

// Contiguous tensors count as one row.
Packs packs_of(const Tensor& shape, bool contiguous, int width) {
  const std::int64_t total = shape.elements() / width;
  return {contiguous ? total : shape.cols() / width, total, width};
}

template <int W, class From, class To>
__global__ void convert_kernel(Rows<const From> from, Rows<To> to, Packs packs) {
  packs.visit([&](std::int64_t row, std::int64_t col) {
    float x[W];
    load_pack(from[row] + col, x);
    store_pack(to[row] + col, x);
  });
}

template <int W, class T>
__global__ void add_kernel(Rows<const T> a, Rows<const T> b, Rows<T> out, Packs packs) {
  packs.visit([&](std::int64_t row, std::int64_t col) {
    float x[W], y[W];
    load_pack(a[row] + col, x);
    load_pack(b[row] + col, y);
#pragma unroll
    for (int i = 0; i < W; ++i) x[i] += y[i];
    store_pack(out[row] + col, x);
  });
}

template <int W, class T>
__global__ void fill_kernel(Rows<T> x, float value, Packs packs) {
  packs.visit([&](std::int64_t row, std::int64_t col) {
    float v[W];
#pragma unroll
    for (int i = 0; i < W; ++i) v[i] = value;
    store_pack(x[row] + col, v);
  });
}

// The Philox block that holds an element makes four numbers; neighbours repeat
// the work, which is done once in a run.
template <class T>
__global__ void fill_normal_kernel(Rows<T> x, NormalFill fill, Packs packs) {
  packs.visit([&](std::int64_t row, std::int64_t col) {
    const auto index = static_cast<std::uint64_t>((fill.first_row + row) * fill.global_columns +
                                                  fill.first_column + col);
    const Normals normals = normals_of(Philox{fill.seed, fill.stream}(index / 4));
    x[row][col] = from_float<T>(fill.standard_deviation * normals.v[index % 4]);
  });
}

}  // namespace

void convert(Context& context, Tensor from, Tensor to) {
  if (from.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  const bool contiguous = from.contiguous() && to.contiguous();
  dispatch_native(from.dtype, [&](auto from_zero) {
    dispatch_native(to.dtype, [&](auto to_zero) {
      using From = decltype(from_zero);
      using To = decltype(to_zero);
      const auto launch = [&](auto width) {
        const Packs packs = packs_of(from, contiguous, width.value);
        convert_kernel<decltype(width)::value><<<packs.blocks(), threads, 0, stream>>>(
            rows_of<const From>(from), rows_of<To>(to), packs);
      };
      // bf16's width for both, which is two of f32's.
      if (vectorizable<__nv_bfloat16>(from) && vectorizable<__nv_bfloat16>(to)) {
        launch(Width<8>{});
      } else {
        launch(Width<1>{});
      }
    });
  });
  check_launch("convert");
}

void add(Context& context, Tensor a, Tensor b, Tensor out) {
  if (out.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  const bool contiguous = a.contiguous() && b.contiguous() && out.contiguous();
  dispatch_native(out.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          const Packs packs = packs_of(out, contiguous, width.value);
          add_kernel<decltype(width)::value><<<packs.blocks(), threads, 0, stream>>>(
              rows_of<const T>(a), rows_of<const T>(b), rows_of<T>(out), packs);
        },
        a, b, out);
  });
  check_launch("add");
}

void fill(Context& context, Tensor x, float value) {
  if (x.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  dispatch_native(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          const Packs packs = packs_of(x, x.contiguous(), width.value);
          fill_kernel<decltype(width)::value>
              <<<packs.blocks(), threads, 0, stream>>>(rows_of<T>(x), value, packs);
        },
        x);
  });
  check_launch("fill");
}

void fill_normal(Context& context, Tensor x, const NormalFill& fill) {
  if (x.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  dispatch_native(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Packs packs = packs_of(x, false, 1);
    fill_normal_kernel<<<packs.blocks(), threads, 0, stream>>>(rows_of<T>(x), fill, packs);
  });
  check_launch("fill_normal");
}

}  // namespace fathom::ops::cuda
