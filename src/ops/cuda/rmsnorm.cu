// RMSNorm, a block a row, or a warp a narrow one: the row stays in registers between the pass
// that sums its squares and the one that scales it, so memory is read and written once.
#include <type_traits>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/cuda/launch.h"
#include "ops/rmsnorm.h"

namespace fathom::ops::cuda {
namespace {

enum class RowOf { block, warp };

// blockDim.x threads a row, P packs of W elements a thread, blockDim.x apart. A row of a warp is
// one of blockDim.y in the block.
template <class T, int W, int P, RowOf Owner>
__global__ void forward_kernel(Rows<const T> residual, Rows<const T> delta, const T* weight,
                               float epsilon, Rows<T> h, Rows<T> y, float* rstd, std::int64_t rows,
                               int cols) {
  start_next_kernel();
  // Meanwhile the weights come nearer.
  for (int col = threadIdx.x * W; col < cols; col += blockDim.x * W) fetch_ahead(weight + col);
  wait_for_previous_kernel();
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  float x[P][W];
  float squares = 0;
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * blockDim.x + threadIdx.x) * W;
    if (col >= cols) break;
    load_pack(residual[row] + col, x[p]);
    if (delta.data) {
      float d[W];
      load_pack(delta[row] + col, d);
#pragma unroll
      for (int i = 0; i < W; ++i) x[p][i] = to_float(from_float<T>(x[p][i] + d[i]));
      if (h.data) store_pack(h[row] + col, x[p]);
    }
#pragma unroll
    for (int i = 0; i < W; ++i) squares += x[p][i] * x[p][i];
  }
  const float sum = Owner == RowOf::warp ? warp_sum(squares) : block_sum(squares);
  const float scale = rsqrtf(sum / cols + epsilon);
  if (threadIdx.x == 0) rstd[row] = scale;
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const int col = (p * blockDim.x + threadIdx.x) * W;
    if (col >= cols) break;
    float w[W];
    load_pack(weight + col, w);
#pragma unroll
    for (int i = 0; i < W; ++i) w[i] *= x[p][i] * scale;
    store_pack(y[row] + col, w);
  }
}

// Calls f(packs a thread, who has a row, block) for rows of `packs` packs.
template <class F>
void with_forward_packs(std::int64_t packs, F&& f) {
  using Block = std::integral_constant<RowOf, RowOf::block>;
  using Warp = std::integral_constant<RowOf, RowOf::warp>;
  const dim3 four_rows(32, 4);
  const auto row = [&](int per_thread) { return dim3(blocks_for(packs, per_thread * 32) * 32); };
  if (packs <= 32) {
    f(Width<1>{}, Warp{}, four_rows);
  } else if (packs <= 64) {
    f(Width<2>{}, Warp{}, four_rows);
  } else if (packs <= 256) {
    f(Width<1>{}, Block{}, row(1));
  } else if (packs <= 1024) {
    f(Width<2>{}, Block{}, row(2));
  } else if (packs <= 8 * 1024) {
    f(Width<8>{}, Block{}, row(8));
  } else {
    fathom::cuda::check(cudaErrorInvalidValue, "RMSNorm of more than 8192 packs of a row");
  }
}

}  // namespace

void add_rmsnorm(Context& context, Tensor residual, Tensor delta, Tensor weight, float epsilon,
                 Tensor h, Tensor y, Tensor rstd) {
  if (residual.elements() == 0) return;
  const auto cols = static_cast<int>(residual.cols());
  dispatch_native(residual.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          constexpr int w = decltype(width)::value;
          with_forward_packs(cols / w, [&](auto packs, auto owner, dim3 block) {
            launch(context, forward_kernel<T, w, decltype(packs)::value, decltype(owner)::value>,
                   blocks_for(residual.rows(), block.y), block, 0, "add_rmsnorm",
                   rows_of<const T>(residual), rows_of<const T>(delta), data_of<const T>(weight),
                   epsilon, rows_of<T>(h), rows_of<T>(y), data_of<float>(rstd), residual.rows(),
                   cols);
          });
        },
        residual, delta, weight, h, y);
  });
}

}  // namespace fathom::ops::cuda
