// The frame of products of a few rows of activations with a weight. The weight's rows go by in
// tiles of a few, shared out over the threads. A tile is multiplied with all rows of x, a few at a
// time, while it is in the cache.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "core/context.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/cpu/few_rows.h"
#include "ops/cpu/math.h"
#include "ops/cpu/packed_weights.h"
#include "ops/cpu/rows.h"
#include "ops/matmul.h"

namespace fathom::ops::cpu {

// Rows of x as a weight multiplies them.
template <class Value>
struct Rows {
  const Value* data;
  std::int64_t count, stride;

  const Value* row(std::int64_t r) const { return data + r * stride; }
};

// x in f32 in the workspace, as pack_row() lays it out for a weight of type Packed.
template <class Packed>
Rows<float> pack_rows(Context& context, const Tensor& x) {
  const std::int64_t cols = x.cols();
  auto* const to = context.workspace.take(DType::f32, {x.rows(), cols}).as<float>();
  dispatch_floating(x.dtype, [&]<class T>(T) {
    for (std::int64_t r = 0; r < x.rows(); ++r) {
      pack_row<Packed>(row_of<T>(x, r), cols, to + r * cols);
    }
  });
  return {to, x.rows(), cols};
}

// How many rows of `cols` values pack_rows() can take.
inline std::int64_t packed_rows_that_fit(const Context& context, std::int64_t cols) {
  constexpr std::size_t alignment = 256;
  const std::size_t room = context.workspace.capacity() - context.workspace.mark();
  if (room < alignment) return 0;
  return static_cast<std::int64_t>((room - alignment) / sizeof(float)) /
         std::max<std::int64_t>(cols, 1);
}

// x for a Weight: as it lies where the Weight multiplies its type, else packed.
template <class Weight>
auto rows_for(Context& context, const Tensor& x) {
  if constexpr (std::is_same_v<typename Weight::Activation, bfloat16>) {
    return Rows<bfloat16>{x.as<bfloat16>(), x.rows(), x.row_stride};
  } else {
    return pack_rows<typename Weight::Packed>(context, x);
  }
}

// Stores the products of rows [first, first + w_rows) of w with the rows of x from `row` on.
template <int w_rows, int x_rows, class Out, class Weight, class Value>
void multiply_rows(const Rows<Value>& x, std::int64_t row, const Weight& w, std::int64_t first,
                   const Tensor& y, Accumulate accumulate) {
  for (; row + x_rows <= x.count; row += x_rows) {
    float sums[x_rows][w_rows];
    w.multiply(first, x.row(row), x.stride, sums);
    for (int r = 0; r < x_rows; ++r) {
      Out* const to = row_of<Out>(y, row + r) + first;
      for (int o = 0; o < w_rows; ++o) {
        store(to[o], accumulate == Accumulate::add ? load(to[o]) + sums[r][o] : sums[r][o]);
      }
    }
  }
  if constexpr (x_rows > 1) {
    multiply_rows<w_rows, x_rows - 1, Out>(x, row, w, first, y, accumulate);
  }
}

// y [x.count, w.rows()] (+)= x wᵀ. A Weight has
//   Activation: bfloat16 where it multiplies rows of x in bf16 as they lie, else float, and then
//     Packed: the type for which pack_rows() lays them out;
//   tile_rows and x_rows: its rows, and the most rows of x, of one tile;
//   rows(), cols();
//   multiply(first, x, x_stride, sums): sums[r][o] = row r of x times row first + o of the weight,
//     each summed in one order whatever the size of `sums`.
template <class Weight, class Value>
void multiply_few_rows(const Rows<Value>& x, const Weight& w, const Tensor& y,
                       Accumulate accumulate) {
  constexpr int tile = Weight::tile_rows, x_rows = Weight::x_rows;
  const std::int64_t grain = std::max<std::int64_t>(1, row_grain(w.cols()) / tile) * tile;
  dispatch_floating(y.dtype, [&]<class Out>(Out) {
    parallel_for(w.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
      for (; begin + tile <= end; begin += tile) {
        multiply_rows<tile, x_rows, Out>(x, 0, w, begin, y, accumulate);
      }
      for (; begin < end; ++begin) multiply_rows<1, x_rows, Out>(x, 0, w, begin, y, accumulate);
    });
  });
}

// The same, with x packed in the workspace if it must be. False, with nothing done, for more than
// max_few_rows rows, and where the workspace does not hold them.
template <class Weight>
bool multiply_if_few(Context& context, const Tensor& x, const Weight& w, const Tensor& y,
                     Accumulate accumulate) {
  if (x.rows() > max_few_rows) return false;
  constexpr bool packs = std::is_same_v<typename Weight::Activation, float>;
  if (packs && x.rows() > packed_rows_that_fit(context, x.cols())) return false;
  const ArenaScope scope(context.workspace);
  multiply_few_rows(rows_for<Weight>(context, x), w, y, accumulate);
  return true;
}

// The same for any number of rows of x, in parts that stay in the cache.
template <class Weight>
void multiply_rows_in_parts(Context& context, const Tensor& x, const Weight& w, const Tensor& y,
                            Accumulate accumulate) {
  constexpr std::int64_t most = 128;
  const std::int64_t fitting =
      std::clamp(packed_rows_that_fit(context, x.cols()), max_few_rows, most);
  const std::int64_t part = fitting / Weight::x_rows * Weight::x_rows;  // whole tiles
  const Tensor all_x = x.view({x.rows(), x.cols()}), all_y = y.view({y.rows(), y.cols()});
  for (std::int64_t row = 0; row < x.rows(); row += part) {
    const std::int64_t count = std::min(part, x.rows() - row);
    const ArenaScope scope(context.workspace);
    multiply_few_rows(rows_for<Weight>(context, all_x.slice(row, count)), w,
                      all_y.slice(row, count), accumulate);
  }
}

}  // namespace fathom::ops::cpu
