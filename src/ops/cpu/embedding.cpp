#include <cstring>

#include "ops/cpu/math.h"
#include "ops/cpu/rows.h"
#include "ops/dispatch.h"

namespace fathom::ops::cpu {

void embedding(Context&, Tensor ids, Tensor table, std::int64_t first_id, Tensor y) {
  const std::int64_t rows = table.rows(), d = y.cols();
  const std::int32_t* id = ids.as<std::int32_t>();
  dispatch_floating(y.dtype, [&]<class T>(T) {
    const std::size_t bytes = static_cast<std::size_t>(d) * sizeof(T);
    parallel_for(y.rows(), row_grain(d), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = id[i] - first_id;
        if (row >= 0 && row < rows) {
          std::memcpy(row_of<T>(y, i), row_of<T>(table, row), bytes);
        } else {
          std::memset(row_of<T>(y, i), 0, bytes);
        }
      }
    });
  });
}

// Each thread owns columns of the table and goes through all tokens in order, so
// that repeated ids are summed in one order whatever the number of threads.
void embedding_backward(Context&, Tensor ids, Tensor dy, std::int64_t first_id, Tensor dtable) {
  const std::int64_t rows = dtable.rows(), n = dy.rows();
  const std::int32_t* id = ids.as<std::int32_t>();
  constexpr std::int64_t column_grain = 32;  // two cache lines: threads share none
  dispatch_floating(dy.dtype, [&]<class T>(T) {
    parallel_for(dy.cols(), column_grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t row = id[i] - first_id;
        if (row < 0 || row >= rows) continue;
        const T* from = row_of<T>(dy, i);
        float* const to = row_of<float>(dtable, row);
#pragma omp simd
        for (std::int64_t c = begin; c < end; ++c) to[c] += load(from[c]);
      }
    });
  });
}

}  // namespace fathom::ops::cpu
