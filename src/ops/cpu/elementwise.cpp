#include <array>

#include "ops/cpu/math.h"
#include "ops/cpu/rows.h"
#include "ops/dispatch.h"
#include "ops/normal.h"

namespace fathom::ops::cpu {

void convert(Context&, Tensor from, Tensor to) {
  dispatch_floating(from.dtype, [&]<class From>(From) {
    dispatch_floating(to.dtype, [&]<class To>(To) {
      parallel_spans(from, from.contiguous() && to.contiguous(),
                     [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
                       const From* source = row_of<From>(from, row);
                       To* const target = row_of<To>(to, row);
#pragma omp simd
                       for (std::int64_t i = begin; i < end; ++i) store(target[i], load(source[i]));
                     });
    });
  });
}

void add(Context&, Tensor a, Tensor b, Tensor out) {
  dispatch_floating(a.dtype, [&]<class T>(T) {
    parallel_spans(a, a.contiguous() && b.contiguous() && out.contiguous(),
                   [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
                     const T* x = row_of<T>(a, row);
                     const T* y = row_of<T>(b, row);
                     T* const sum = row_of<T>(out, row);
#pragma omp simd
                     for (std::int64_t i = begin; i < end; ++i) {
                       store(sum[i], load(x[i]) + load(y[i]));
                     }
                   });
  });
}

void fill(Context&, Tensor x, float value) {
  dispatch_floating(x.dtype, [&]<class T>(T) {
    parallel_spans(x, x.contiguous(), [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
      std::fill(row_of<T>(x, row) + begin, row_of<T>(x, row) + end, T(value));
    });
  });
}

namespace {

// The normal numbers of whole Philox blocks, a batch at a time.
constexpr std::int64_t batch_blocks = 128;
using Batch = std::array<Normals, batch_blocks>;

void generate(const Philox& philox, std::uint64_t first_block, Batch& batch) {
  std::array<Philox::Block, batch_blocks> words;
  for (std::int64_t i = 0; i < batch_blocks; ++i) {
    words[i] = philox(first_block + static_cast<std::uint64_t>(i));
  }
#pragma omp simd
  for (std::int64_t i = 0; i < batch_blocks; ++i) batch[i] = normals_of(words[i]);
}

// row[i] = deviation · (normal number of the flat index first + i).
template <class T>
void fill_row(const Philox& philox, std::uint64_t first, float deviation, T* row,
              std::int64_t count) {
  Batch batch;
  const float* normal = batch[0].v;
  for (std::int64_t done = 0; done < count;) {
    const std::uint64_t index = first + static_cast<std::uint64_t>(done);
    const auto lane = static_cast<std::int64_t>(index % 4);
    generate(philox, index / 4, batch);
    const std::int64_t now = std::min(count - done, 4 * batch_blocks - lane);
    for (std::int64_t i = 0; i < now; ++i) store(row[done + i], deviation * normal[lane + i]);
    done += now;
  }
}

}  // namespace

void fill_normal(Context&, Tensor x, const NormalFill& fill) {
  const Philox philox{fill.seed, fill.stream};
  dispatch_floating(x.dtype, [&]<class T>(T) {
    parallel_for(x.rows(), row_grain(8 * x.cols()), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t first = (fill.first_row + row) * fill.global_columns + fill.first_column;
        fill_row(philox, static_cast<std::uint64_t>(first), fill.standard_deviation,
                 row_of<T>(x, row), x.cols());
      }
    });
  });
}

}  // namespace fathom::ops::cpu
