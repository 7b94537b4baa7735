// The frame of products of a few rows of activations with a weight. The weight's rows go by in
// tiles of a few, shared out over the threads. A tile is multiplied with all rows of x, a few at a
// time, while it is in the cache.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/context.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/cpu/few_rows.h"
#include "ops/cpu/math.h"
#include "ops/cpu/packed_weights.h"
#include "ops/cpu/rows.h"
#include "ops/matmul.h"

namespace fathom::ops::cpu {

// Rows of x in f32 as pack_row() lays them out.
struct PackedRows {
  const float* data;
  std::int64_t count, stride;

  const float* row(std::int64_t r) const { return data + r * stride; }
};

// Packs x for a weight of type Packed into the workspace.
template <class Packed>
PackedRows pack_rows(Context& context, const Tensor& x) {
  const std::int64_t cols = x.cols();
  auto* const to = context.workspace.take(DType::f32, {x.rows(), cols}).as<float>();
  dispatch_floating(x.dtype, [&]<class T>(T) {
    for (std::int64_t r = 0; r < x.rows(); ++r) {
      pack_row<Packed>(row_of<T>(x, r), cols, to + r * cols);
    }
  });
  return {to, x.rows(), cols};
}

inline bool packed_rows_fit(const Context& context, const Tensor& x) {
  constexpr std::size_t alignment = 256;
  const std::size_t room = context.workspace.capacity() - context.workspace.mark();
  return static_cast<std::size_t>(x.elements()) * sizeof(float) + alignment <= room;
}

// Stores the products of rows [first, first + w_rows) of w with the rows of x from `row` on.
template <int w_rows, int x_rows, class Out, class Weight>
void multiply_rows(const PackedRows& x, std::int64_t row, const Weight& w, std::int64_t first,
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
//   tile_rows and x_rows: its rows, and the most rows of x, of one tile;
//   rows(), cols();
//   multiply(first, x, x_stride, sums): sums[r][o] = row r of x times row first + o of the weight,
//     each summed in one order whatever the size of `sums`.
template <class Weight>
void multiply_few_rows(const PackedRows& x, const Weight& w, const Tensor& y,
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

// The same for any number of rows of x, which are packed for a weight of type Packed.
template <class Packed, class Weight>
void multiply_rows_in_parts(Context& context, const Tensor& x, const Weight& w, const Tensor& y,
                            Accumulate accumulate) {
  // Whole tiles.
  const std::int64_t part = max_few_rows / Weight::x_rows * Weight::x_rows;
  const Tensor all_x = x.view({x.rows(), x.cols()}), all_y = y.view({y.rows(), y.cols()});
  for (std::int64_t row = 0; row < x.rows(); row += part) {
    const std::int64_t count = std::min(part, x.rows() - row);
    const ArenaScope scope(context.workspace);
    multiply_few_rows(pack_rows<Packed>(context, all_x.slice(row, count)), w,
                      all_y.slice(row, count), accumulate);
  }
}

}  // namespace fathom::ops::cpu
