// The embedding's backward: adds up the rows of each id's tokens in a fixed order, without
// atomics on floats, in about the time that reading the rows takes, however often an id comes (up to
// some 32768 tokens; beyond, sorting them takes longer).
//
// Tokens are sorted by (id, index) and their places cut into segments of one length. A block
// adds the rows of a segment. An id's tokens within a segment are a stretch: the id's first
// one is added to the table at once; the sum of a stretch that goes on from the segment before
// is left as that segment's partial sum, and a second kernel adds those to the table. Where an
// id's tokens are cut depends on ids and d alone, and so do the bits.
#include <algorithm>

#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/kernels.h"
#include "ops/embedding.h"

namespace fathom::ops::cuda {
namespace {

// Tokens in the order of (id, index).
struct SortedTokens {
  const int* token;  // [n], by place
  const std::int32_t* id;
  int n;
};

// The table's gradient, or this rank's part of it.
struct TableGradient {
  Rows<float> data;
  std::int64_t first_id, rows;

  __device__ bool holds(std::int32_t id) const { return id >= first_id && id - first_id < rows; }
  __device__ int row(std::int32_t id) const { return static_cast<int>(id - first_id); }
};

constexpr int sort_tokens = 32, sort_parts = 8;  // of a block
constexpr int tile = 1024;                       // ids
constexpr std::int32_t last_id = 0x7fffffff;

// The next `tile` ids from `begin` on, and behind the last one ids that come before none.
__device__ void load_tile(const std::int32_t* ids, int begin, int n, std::int32_t* to) {
  const int thread = threadIdx.y * sort_tokens + threadIdx.x;
#pragma unroll
  for (int k = thread; k < tile; k += sort_tokens * sort_parts) {
    to[k] = begin + k < n ? ids[begin + k] : last_id;
  }
}

// How many of `count` ids `before` is true of. 16-byte aligned.
template <class Before>
__device__ int count_ids(const std::int32_t* ids, int count, Before before) {
  int sum = 0;
#pragma unroll 8
  for (int k = 0; k < count; k += 4) {
    const int4 four = *reinterpret_cast<const int4*>(ids + k);
    sum +=
        before(four.x, k) + before(four.y, k + 1) + before(four.z, k + 2) + before(four.w, k + 3);
  }
  return sum;
}

// A token's place is the number of tokens that come before it: n² comparisons, 0.1 ms at
// 32768 tokens, where a radix sort is a dozen launches. A warp compares the block's 32 tokens
// with an eighth of all.
__global__ void __launch_bounds__(sort_tokens* sort_parts)
    sort_kernel(const std::int32_t* ids, int n, int* tokens, std::int32_t* sorted_ids) {
  __shared__ __align__(16) std::int32_t others[tile];
  __shared__ int counts[sort_parts][sort_tokens];
  constexpr int part = tile / sort_parts;
  const int first = blockIdx.x * sort_tokens, i = first + threadIdx.x;
  const std::int32_t id = i < n ? ids[i] : 0;
  int before = 0;
  for (int begin = 0; begin < n; begin += tile) {
    __syncthreads();
    load_tile(ids, begin, n, others);
    __syncthreads();
    const int from = begin + threadIdx.y * part;
    const std::int32_t* const mine = others + threadIdx.y * part;
    if (begin + tile <= first) {
      before += count_ids(mine, part, [=](std::int32_t other, int) { return other <= id; });
    } else if (begin >= first + sort_tokens) {
      before += count_ids(mine, part, [=](std::int32_t other, int) { return other < id; });
    } else {
      before += count_ids(mine, part, [=](std::int32_t other, int k) {
        return other < id || (other == id && from + k < i);
      });
    }
  }
  counts[threadIdx.y][threadIdx.x] = before;
  __syncthreads();
  if (threadIdx.y != 0 || i >= n) return;
  int place = 0;
#pragma unroll
  for (int p = 0; p < sort_parts; ++p) place += counts[p][threadIdx.x];
  tokens[place] = i;
  sorted_ids[place] = id;
}

constexpr int chunk = 32;   // places whose tokens are read at once
constexpr int at_once = 8;  // rows on their way

// What is to be done at a place of a segment.
struct Step {
  static constexpr int none = -1, to_partial = -2;
  int token = none;  // whose row is added to the sum
  int flush = none;  // the table's row, or to_partial, that the sum then goes to
};

// The step at `place` of the segment [begin, end).
__device__ Step step_at(const SortedTokens& sorted, const TableGradient& table, int place,
                        int begin, int end) {
  Step step;
  if (place >= end) return step;
  const std::int32_t id = sorted.id[place];
  if (!table.holds(id)) return step;
  step.token = sorted.token[place];
  if (place + 1 < end && sorted.id[place + 1] == id) return step;
  const bool goes_on = begin > 0 && sorted.id[begin - 1] == id;
  step.flush = goes_on ? Step::to_partial : table.row(id);
  return step;
}

// Adds the rows of segment blockIdx.x: W columns a thread. partial: [segments, cols].
template <class T, int W>
__global__ void __launch_bounds__(128)
    segment_kernel(SortedTokens sorted, int segment, Rows<const T> dy, TableGradient table,
                   float* partial, int cols) {
  __shared__ Step steps[chunk];
  const int begin = blockIdx.x * segment, end = min(sorted.n, begin + segment);
  const int col = (blockIdx.y * blockDim.x + threadIdx.x) * W;
  float sum[W] = {};
  for (int at = begin; at < end; at += chunk) {
    __syncthreads();
    if (threadIdx.x < chunk) {
      steps[threadIdx.x] = step_at(sorted, table, at + threadIdx.x, begin, end);
    }
    __syncthreads();
    if (col >= cols) continue;
    for (int k = 0; k < chunk; k += at_once) {
      T x[at_once][W];
      float old[at_once][W];
#pragma unroll
      for (int j = 0; j < at_once; ++j) {
        const Step step = steps[k + j];
        if (step.token >= 0) load_raw(dy[step.token] + col, x[j]);
        if (step.flush >= 0) load_pack(table.data[step.flush] + col, old[j]);
      }
#pragma unroll
      for (int j = 0; j < at_once; ++j) {
        const Step step = steps[k + j];
        if (step.token < 0) continue;
#pragma unroll
        for (int i = 0; i < W; ++i) sum[i] += to_float(x[j][i]);
        if (step.flush == Step::none) continue;
        if (step.flush == Step::to_partial) {
          store_pack(partial + std::int64_t{blockIdx.x} * cols + col, sum);
        } else {
#pragma unroll
          for (int i = 0; i < W; ++i) old[j][i] += sum[i];
          store_pack(table.data[step.flush] + col, old[j]);
        }
#pragma unroll
        for (int i = 0; i < W; ++i) sum[i] = 0;
      }
    }
  }
}

constexpr int packs_wide = 32, pieces_deep = 8;  // threads of a block of the second kernel
constexpr unsigned most_column_blocks = 8;

// How many segments in a row, from `first` on, begin with this id. In every thread.
__device__ int count_segments(const SortedTokens& sorted, int first, int segment, int id) {
  constexpr int threads = packs_wide * pieces_deep;
  const int thread = threadIdx.y * packs_wide + threadIdx.x;
  int count = 0;
  for (;;) {
    const std::int64_t place = std::int64_t{first + count + thread} * segment;
    const int more = __syncthreads_count(place < sorted.n && sorted.id[place] == id);
    count += more;
    if (more < threads) return count;
  }
}

// Adds to the table the partial sums of the id that segment blockIdx.x + 1 goes on with, if it
// is the first that does.
template <int W>
__global__ void __launch_bounds__(packs_wide* pieces_deep)
    partial_kernel(SortedTokens sorted, int segment, const float* partial, TableGradient table,
                   int cols) {
  __shared__ float sums[pieces_deep][packs_wide][W];
  const int first = blockIdx.x + 1, place = first * segment;
  const std::int32_t id = sorted.id[place];
  if (!table.holds(id) || sorted.id[place - 1] != id) return;
  if (first > 1 && sorted.id[place - segment - 1] == id) return;
  const int pieces = count_segments(sorted, first, segment, id);
  for (int left = blockIdx.y * packs_wide * W; left < cols; left += gridDim.y * packs_wide * W) {
    const int col = left + threadIdx.x * W;
    float sum[W] = {};
    if (col < cols) {
#pragma unroll 4
      for (int piece = threadIdx.y; piece < pieces; piece += pieces_deep) {
        float x[W];
        load_pack(partial + std::int64_t{first + piece} * cols + col, x);
#pragma unroll
        for (int i = 0; i < W; ++i) sum[i] += x[i];
      }
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < W; ++i) sums[threadIdx.y][threadIdx.x][i] = sum[i];
    __syncthreads();
    if (threadIdx.y != 0 || col >= cols) continue;
    for (int deep = 1; deep < pieces_deep; ++deep) {
#pragma unroll
      for (int i = 0; i < W; ++i) sum[i] += sums[deep][threadIdx.x][i];
    }
    float* const to = table.data[table.row(id)] + col;
    float old[W];
    load_pack(to, old);
#pragma unroll
    for (int i = 0; i < W; ++i) sum[i] += old[i];
    store_pack(to, sum);
  }
}

constexpr const char* operation = "embedding_backward";

SortedTokens sort(Context& context, Tensor ids, cudaStream_t stream) {
  const auto n = static_cast<int>(ids.elements());
  int* const tokens = data_of<int>(context.workspace.take(DType::i32, {n}));
  auto* const sorted_ids = data_of<std::int32_t>(context.workspace.take(DType::i32, {n}));
  sort_kernel<<<blocks_for(n, sort_tokens), dim3(sort_tokens, sort_parts), 0, stream>>>(
      data_of<const std::int32_t>(ids), n, tokens, sorted_ids);
  check_launch(operation);
  return {tokens, sorted_ids, n};
}

// Places a segment. Short ones are more blocks; the partial sums may take 32 MiB.
int segment_for(std::int64_t n, std::int64_t cols) {
  constexpr std::int64_t most_partial = std::int64_t{8} << 20;  // floats
  const std::int64_t segments = std::max<std::int64_t>(1, most_partial / cols);
  const std::int64_t least = (n + segments - 1) / segments;
  return static_cast<int>((least + chunk - 1) / chunk * chunk);
}

template <class T, int W>
void add_rows(Context& context, const SortedTokens& sorted, Tensor dy, const TableGradient& table,
              cudaStream_t stream) {
  const auto cols = static_cast<int>(dy.cols());
  const int segment = segment_for(sorted.n, cols), packs = cols / W;
  const unsigned segments = blocks_for(sorted.n, segment);
  auto* const partial =
      data_of<float>(context.workspace.take(DType::f32, {std::int64_t{segments}, cols}));
  const unsigned threads = std::min(128u, blocks_for(packs, 32) * 32);
  segment_kernel<T, W><<<dim3(segments, blocks_for(packs, threads)), threads, 0, stream>>>(
      sorted, segment, rows_of<const T>(dy), table, partial, cols);
  check_launch(operation);
  if (segments == 1) return;
  const dim3 grid(segments - 1, std::min(most_column_blocks, blocks_for(packs, packs_wide)));
  partial_kernel<W>
      <<<grid, dim3(packs_wide, pieces_deep), 0, stream>>>(sorted, segment, partial, table, cols);
  check_launch(operation);
}

}  // namespace

void embedding_backward(Context& context, Tensor ids, Tensor dy, std::int64_t first_id,
                        Tensor dtable) {
  if (dy.elements() == 0 || dtable.elements() == 0) return;
  const cudaStream_t stream = stream_of(context);
  ArenaScope scope(context.workspace);
  const SortedTokens sorted = sort(context, ids, stream);
  const TableGradient table{rows_of<float>(dtable), first_id, dtable.rows()};
  dispatch_native(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    // Packs of four where sums are taken: more threads share a segment's rows than with eight.
    if (vectorizable<T>(dy) && vectorizable<float>(dtable)) {
      add_rows<T, 4>(context, sorted, dy, table, stream);
    } else {
      add_rows<T, 1>(context, sorted, dy, table, stream);
    }
  });
}

}  // namespace fathom::ops::cuda
