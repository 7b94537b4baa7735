// Token embedding: a copy of a row of the table for each token.
#include <algorithm>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/embedding.h"

namespace fathom::ops::cuda {
namespace {

constexpr unsigned block_threads = 256;

// blockDim.x threads a row, blockDim.y rows a block.
template <class T, int W>
__global__ void forward_kernel(const std::int32_t* ids, Rows<const T> table, std::int64_t first_id,
                               std::int64_t table_rows, Rows<T> y, std::int64_t rows, int cols) {
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  const std::int64_t id = ids[row] - first_id;
  const bool inside = id >= 0 && id < table_rows;
  for (int col = threadIdx.x * W; col < cols; col += blockDim.x * W) {
    float x[W] = {};
    if (inside) load_pack(table[id] + col, x);
    store_pack(y[row] + col, x);
  }
}

}  // namespace

void embedding(Context& context, Tensor ids, Tensor table, std::int64_t first_id, Tensor y) {
  if (y.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  dispatch_native(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          constexpr int w = decltype(width)::value;
          const dim3 block = row_block(y.cols() / w, block_threads);
          forward_kernel<T, w><<<blocks_for(y.rows(), block.y), block, 0, stream>>>(
              data_of<const std::int32_t>(ids), rows_of<const T>(table), first_id, table.rows(),
              rows_of<T>(y), y.rows(), static_cast<int>(y.cols()));
        },
        table, y);
  });
  check_launch("embedding");
}

}  // namespace fathom::ops::cuda
