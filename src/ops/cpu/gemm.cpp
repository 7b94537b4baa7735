#include "ops/cpu/gemm.h"

#include <dnnl.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/cpu/gemm_bf16.h"
#include "ops/cpu/int8_rows.h"
#include "ops/cpu/math.h"
#include "ops/dispatch.h"

namespace fathom::ops::cpu {
namespace {

// A product's sizes: c [m, n] = a [m, k] · b [k, n].
struct Sizes {
  std::int64_t m, n, k;
};

// A matrix of floats in memory: transposed ones are stored [columns, rows].
struct FloatMatrix {
  float* data;
  std::int64_t row_stride;
  bool transposed = false;
};

void sgemm(const Sizes& size, const FloatMatrix& a, const FloatMatrix& b, const FloatMatrix& c,
           Accumulate accumulate) {
  const float beta = accumulate == Accumulate::add ? 1.0f : 0.0f;
  const dnnl_status_t status =
      dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', size.m, size.n, size.k, 1.0f,
                 a.data, a.row_stride, b.data, b.row_stride, beta, c.data, c.row_stride);
  require(status == dnnl_success, "oneDNN's sgemm of {} x {} x {} failed with status {}", size.m,
          size.n, size.k, static_cast<int>(status));
}

// By all threads: where they are ready, each takes columns, for oneDNN's own loops know nothing of them.
void shared_sgemm(const Sizes& size, const FloatMatrix& a, const FloatMatrix& b,
                  const FloatMatrix& c, Accumulate accumulate) {
  if (!threads_are_ready()) return sgemm(size, a, b, c, accumulate);
  parallel_for(size.n, 64, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t offset = b.transposed ? begin * b.row_stride : begin;
    sgemm({size.m, end - begin, size.k}, a, {b.data + offset, b.row_stride, b.transposed},
          {c.data + begin, c.row_stride}, accumulate);
  });
}

FloatMatrix floats(const Operand& operand) {
  return {operand.tensor.as<float>(), operand.tensor.row_stride, operand.transposed};
}

// to [rows, cols] = the block of `from` at (row, column), all as they stand in memory.
template <class From, class To>
void copy_block(const From* from, std::int64_t from_stride, To* to, std::int64_t to_stride,
                std::int64_t rows, std::int64_t cols) {
  parallel_for(rows, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(cols, 1)),
               [=](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r) {
                   const From* source = from + r * from_stride;
                   To* target = to + r * to_stride;
#pragma omp simd
                   for (std::int64_t i = 0; i < cols; ++i) store(target[i], load(source[i]));
                 }
               });
}

// The same for a matrix in 8 bits.
void copy_int8_block(const Int8Matrix& from, std::int64_t row, std::int64_t col, float* to,
                     std::int64_t rows, std::int64_t cols) {
  parallel_for(rows, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(cols, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r) {
                   read_int8_row(from, row + r, col, cols, to + r * cols);
                 }
               });
}

// One operand's current block as floats, in the workspace unless it is f32. A block that is
// asked for again while it is still there is not converted again.
class Panel {
 public:
  Panel(const Operand& operand, float* memory) : operand_(operand), memory_(memory) {}

  // Rows [row, row + rows) and columns likewise of the operand, transposition applied.
  FloatMatrix block(std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols) {
    const bool transposed = operand_.transposed;
    if (transposed) {
      std::swap(row, col);
      std::swap(rows, cols);
    }
    const std::int64_t stride = operand_.tensor.row_stride;
    if (operand_.tensor.dtype == DType::f32) {
      return {operand_.tensor.as<float>() + row * stride + col, stride, transposed};
    }
    if (row != row_ || col != col_) {
      convert(row, rows, col, cols);
      row_ = row;
      col_ = col;
    }
    return {memory_, cols, transposed};
  }

 private:
  // The block as it stands in memory.
  void convert(std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols) {
    const Tensor& tensor = operand_.tensor;
    if (operand_.scales) {
      return copy_int8_block({tensor, operand_.scales}, row, col, memory_, rows, cols);
    }
    copy_block(tensor.as<bfloat16>() + row * tensor.row_stride + col, tensor.row_stride, memory_,
               cols, rows, cols);
  }

  const Operand& operand_;
  float* memory_;
  std::int64_t row_ = -1, col_ = -1;
};

// The largest blocks whose panels fit in the workspace. Wide ones amortise the
// conversion: an element of a is used block.n times once converted.
Sizes choose_blocks(const Sizes& size, bool c_is_float, std::int64_t capacity) {
  Sizes block{std::min<std::int64_t>(size.m, 2048), std::min<std::int64_t>(size.n, 2048),
              std::min<std::int64_t>(size.k, 2048)};
  const auto floats_of = [&] {
    return (block.m + block.n) * block.k + (c_is_float ? 0 : block.m * block.n);
  };
  while (floats_of() > capacity) {
    std::int64_t& wider = block.m > block.n ? block.m : block.n;
    std::int64_t& largest = block.k > wider ? block.k : wider;
    require(largest > 1, "the workspace of {} floats is too small for a matrix product", capacity);
    largest = (largest + 1) / 2;
  }
  return block;
}

// Operands in 8 bits, and in bf16 on a processor without bf16 products: blocks of them become
// floats in the workspace, and sgemm does the rest.
void gemm_by_conversion(Context& context, const Operand& a, const Operand& b, Tensor c,
                        const Sizes& size, Accumulate accumulate) {
  const bool c_is_float = c.dtype == DType::f32;
  const ArenaScope scope(context.workspace);
  const auto capacity = static_cast<std::int64_t>(
      (context.workspace.capacity() - context.workspace.mark()) / sizeof(float));
  const Sizes block = choose_blocks(size, c_is_float, capacity - 3 * 64);
  const auto take = [&](std::int64_t count) {
    return context.workspace.take(DType::f32, {count}).as<float>();
  };
  Panel a_panel(a, take(block.m * block.k)), b_panel(b, take(block.k * block.n));
  float* const c_tile = c_is_float ? nullptr : take(block.m * block.n);

  for (std::int64_t m = 0; m < size.m; m += block.m) {
    for (std::int64_t n = 0; n < size.n; n += block.n) {
      const std::int64_t rows = std::min(block.m, size.m - m), cols = std::min(block.n, size.n - n);
      const std::int64_t offset = m * c.row_stride + n;
      FloatMatrix target{c_tile, cols};
      if (c_is_float) {
        target = {c.as<float>() + offset, c.row_stride};
      } else if (accumulate == Accumulate::add) {
        copy_block(c.as<bfloat16>() + offset, c.row_stride, c_tile, cols, rows, cols);
      }
      for (std::int64_t k = 0; k < size.k; k += block.k) {
        const std::int64_t depth = std::min(block.k, size.k - k);
        shared_sgemm({rows, cols, depth}, a_panel.block(m, rows, k, depth),
                     b_panel.block(k, depth, n, cols), target,
                     k == 0 ? accumulate : Accumulate::add);
      }
      if (!c_is_float) {
        copy_block(c_tile, cols, c.as<bfloat16>() + offset, c.row_stride, rows, cols);
      }
    }
  }
}

}  // namespace

void gemm(Context& context, const Operand& a, const Operand& b, Tensor c, Accumulate accumulate) {
  const std::int64_t depth = a.transposed ? a.tensor.rows() : a.tensor.cols();
  const Sizes size{c.rows(), c.cols(), depth};
  if (size.m == 0 || size.n == 0) return;
  if (size.k == 0) {
    if (accumulate == Accumulate::overwrite) fill(context, c, 0);
    return;
  }
  switch (a.tensor.dtype) {
    case DType::f32:
      if (b.scales) return gemm_by_conversion(context, a, b, c, size, accumulate);
      return shared_sgemm(size, floats(a), floats(b), floats({c}), accumulate);
    case DType::bf16:
      if (!b.scales && gemm_in_bf16(context, a, b, c, accumulate)) return;
      return gemm_by_conversion(context, a, b, c, size, accumulate);
    case DType::i32:
    case DType::u32:
    case DType::u16:
    case DType::u8:
      break;
  }
  fail_not_floating(a.tensor.dtype);
}

}  // namespace fathom::ops::cpu
