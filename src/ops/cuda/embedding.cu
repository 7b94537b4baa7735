// Token embedding. The backward adds rows in the order of the tokens: the same
// bits every time, without atomics on floats.
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/embedding.h"

namespace fathom::ops::cuda {
namespace {

template <class T, int W>
__global__ void forward_kernel(const std::int32_t* ids, Rows<const T> table, std::int64_t first_id,
                               std::int64_t table_rows, Rows<T> y, int cols) {
  const std::int64_t row = blockIdx.x;
  const std::int64_t id = ids[row] - first_id;
  const bool inside = id >= 0 && id < table_rows;
  for (int col = threadIdx.x * W; col < cols; col += blockDim.x * W) {
    float x[W] = {};
    if (inside) load_pack(table[id] + col, x);
    store_pack(y[row] + col, x);
  }
}

constexpr int rank_threads = 256;

// places[i] += how many of the tokens in this block's part come before token i in
// the order of (id, i). Over all parts that is i's place in the stable sort: n²
// comparisons, 0.1 ms at 32768 tokens, where a radix sort is a dozen launches.
__global__ void rank_kernel(const std::int32_t* ids, int n, int part, int* places) {
  __shared__ std::int32_t tile[rank_threads];
  const int i = blockIdx.x * rank_threads + threadIdx.x;
  const std::int32_t id = i < n ? ids[i] : 0;
  int before = 0;
  const int end = min(n, static_cast<int>(blockIdx.y + 1) * part);
  for (int begin = blockIdx.y * part; begin < end; begin += rank_threads) {
    const int count = min(rank_threads, end - begin);
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < count) tile[threadIdx.x] = ids[begin + threadIdx.x];
    __syncthreads();
#pragma unroll 8
    for (int k = 0; k < count; ++k) {
      before += tile[k] < id || (tile[k] == id && begin + k < i);
    }
  }
  if (i < n) atomicAdd(&places[i], before);
}

__global__ void scatter_kernel(const int* places, int n, int* order) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) order[places[i]] = i;
}

// The block at the first place of an id adds up all its tokens' rows, 32·W
// columns a warp; the other blocks have nothing to do.
template <class T, int W>
__global__ void backward_kernel(const std::int32_t* ids, const int* order, int n, Rows<const T> dy,
                                std::int64_t first_id, std::int64_t table_rows, Rows<float> dtable,
                                int cols) {
  int place = blockIdx.x;
  const std::int32_t id = ids[order[place]];
  if (place > 0 && ids[order[place - 1]] == id) return;
  const std::int64_t row = id - first_id;
  const int col = (blockIdx.y * blockDim.x + threadIdx.x) * W;
  if (row < 0 || row >= table_rows || col >= cols) return;
  float sum[W];
  load_pack(dtable[row] + col, sum);
  for (; place < n && ids[order[place]] == id; ++place) {
    float x[W];
    load_pack(dy[order[place]] + col, x);
#pragma unroll
    for (int i = 0; i < W; ++i) sum[i] += x[i];
  }
  store_pack(dtable[row] + col, sum);
}

// Places of the tokens in the order of (id, index), in the workspace.
const int* sorted_order(Context& context, const std::int32_t* ids, int n, cudaStream_t stream) {
  int* const places = data_of<int>(context.workspace.take(DType::i32, {n}));
  int* const order = data_of<int>(context.workspace.take(DType::i32, {n}));
  fathom::cuda::check(cudaMemsetAsync(places, 0, n * sizeof(int), stream), "embedding_backward");
  const unsigned blocks = blocks_for(n, rank_threads);
  // Enough parts to fill the GPU, each a multiple of the tile.
  const unsigned parts = std::min(blocks, 16u);
  const int part = static_cast<int>(blocks_for(blocks, parts)) * rank_threads;
  rank_kernel<<<dim3(blocks, parts), rank_threads, 0, stream>>>(ids, n, part, places);
  scatter_kernel<<<blocks, rank_threads, 0, stream>>>(places, n, order);
  check_launch("embedding_backward");
  return order;
}

}  // namespace

void embedding(Context& context, Tensor ids, Tensor table, std::int64_t first_id, Tensor y) {
  if (y.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  dispatch_native(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          forward_kernel<T, decltype(width)::value>
              <<<static_cast<unsigned>(y.rows()), 256, 0, stream>>>(
                  data_of<const std::int32_t>(ids), rows_of<const T>(table), first_id, table.rows(),
                  rows_of<T>(y), static_cast<int>(y.cols()));
        },
        table, y);
  });
  check_launch("embedding");
}

void embedding_backward(Context& context, Tensor ids, Tensor dy, std::int64_t first_id,
                        Tensor dtable) {
  if (dy.elements() == 0 || dtable.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  ArenaScope scope(context.workspace);
  const auto n = static_cast<int>(dy.rows());
  const auto* const id = data_of<const std::int32_t>(ids);
  const int* const order = sorted_order(context, id, n, stream);
  dispatch_native(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto launch = [&](auto width) {
      constexpr int w = decltype(width)::value;
      constexpr int threads = 128;
      const dim3 grid(static_cast<unsigned>(n), blocks_for(dy.cols() / w, threads));
      backward_kernel<T, w><<<grid, threads, 0, stream>>>(
          id, order, n, rows_of<const T>(dy), first_id, dtable.rows(), rows_of<float>(dtable),
          static_cast<int>(dy.cols()));
    };
    // Narrow packs where sums are taken: the few frequent tokens are the longest
    // work, and they get more threads this way.
    if (vectorizable<T>(dy) && vectorizable<float>(dtable)) {
      launch(Width<4>{});
    } else {
      launch(Width<1>{});
    }
  });
  check_launch("embedding_backward");
}

}  // namespace fathom::ops::cuda
