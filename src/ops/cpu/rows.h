// Sharing the rows of matrices out over the threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/parallel.h"
#include "core/tensor.h"

namespace fathom::ops::cpu {

// With fewer elements, waking a thread costs more than it saves.
inline constexpr std::int64_t parallel_grain = 8192;

// The same as a number of rows of `cols` elements.
inline std::int64_t row_grain(std::int64_t cols) {
  return std::max<std::int64_t>(1, parallel_grain / std::max<std::int64_t>(cols, 1));
}

template <class T>
T* row_of(const Tensor& tensor, std::int64_t row) {
  return tensor.as<T>() + row * tensor.row_stride;
}

// Σ f(begin, end) over ranges that cover [0, count). A float sum of all elements one by
// one, which is what a compiler makes that does not vectorise (under a sanitizer, say),
// loses a digit in a long row; sums of short ranges do not.
template <class F>
float sum_of_ranges(std::int64_t count, F&& f) {
  constexpr std::int64_t range = 256;
  float sum = 0;
  for (std::int64_t i = 0; i < count; i += range) sum += f(i, std::min(i + range, count));
  return sum;
}

// f(row, begin, end) for ranges of columns that cover every row. Contiguous
// matrices count as one row, so that they are split evenly whatever their shape.
template <class F>
void parallel_spans(const Tensor& shape, bool contiguous, F&& f) {
  if (contiguous) {
    return parallel_for(shape.elements(), parallel_grain,
                        [&](std::int64_t begin, std::int64_t end) { f(0, begin, end); });
  }
  const std::int64_t cols = shape.cols();
  parallel_for(shape.rows(), row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row, 0, cols);
  });
}

}  // namespace fathom::ops::cpu
