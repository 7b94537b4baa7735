// The KV cache: storing rows, and attention to it, by the kernels of paged_decode.cu
// and attention_tiles.cu where they can, else by those here: any type, head width and
// alignment, a query row of a head at a time. Each context is cut into splits that
// different blocks take; a second kernel merges what they found.
#include <algorithm>

#include "ops/cuda/attend.h"
#include "ops/cuda/attention_tiles.h"
#include "ops/cuda/fixed_order_attention.h"
#include "ops/cuda/kernels.h"
#include "ops/cuda/launch.h"
#include "ops/cuda/paged_decode.h"

namespace fathom::ops::cuda {
namespace {

struct Pages {
  const std::int32_t *query_offsets, *context_lengths;
  Rows<const std::int32_t> block_table;
  int sequences, page_size, heads_per_kv, splits;
  float scale;
};

// What a split leaves in the workspace, per (row, head, split); null where there
// is one split, which writes the output itself.
struct Partial {
  float* output;   // [rows, heads, splits, head_dim], not divided by the sum
  float2* totals;  // [rows, heads, splits]: maximum and sum
};

template <class T, int W, int P>
__global__ void split_kernel(Rows<const T> q, Rows<const T> k_cache, Rows<const T> v_cache,
                             Pages pages, HeadGroups groups, Partial partial, Rows<T> out) {
  const int row = blockIdx.x, head = blockIdx.y, split = blockIdx.z;
  if (row >= pages.query_offsets[pages.sequences]) return;  // nobody's: it fills up a step
  const int sequence = segment_of(pages.query_offsets, pages.sequences, row);
  // Keys that this row sees: the context up to itself.
  const int keys = pages.context_lengths[sequence] - (pages.query_offsets[sequence + 1] - 1 - row);
  const int per_split = (keys + pages.splits - 1) / pages.splits;
  const int begin = split * per_split, end = min(keys, begin + per_split);
  float query[P][W];
  load_head(q[row] + head * groups.head_dim, groups, query);
#pragma unroll
  for (int p = 0; p < P; ++p) {
#pragma unroll
    for (int i = 0; i < W; ++i) query[p][i] *= pages.scale;
  }
  const int column = head / pages.heads_per_kv * groups.head_dim;
  const std::int32_t* const table = pages.block_table[sequence];
  const auto cache_row = [&](int t) {
    return std::int64_t{table[t / pages.page_size]} * pages.page_size + t % pages.page_size;
  };
  const auto state = attend<W, P>(
      query, begin, end, groups, [&](int t) { return k_cache[cache_row(t)] + column; },
      [&](int t) { return v_cache[cache_row(t)] + column; });
  const std::int64_t at = (std::int64_t{row} * gridDim.y + head) * pages.splits + split;
  if (!partial.output) {
    T* const to = out[row] + head * groups.head_dim;
    merge_groups(state, groups, [&](int i, float x, float sum) { to[i] = from_float<T>(x / sum); });
    return;
  }
  float* const output = partial.output + at * groups.head_dim;
  const float2 total = merge_groups(state, groups, [&](int i, float x, float) { output[i] = x; });
  if (threadIdx.x == 0) partial.totals[at] = total;
}

template <class T>
__global__ void merge_kernel(Partial partial, int splits, int head_dim, Rows<T> out) {
  const int row = blockIdx.x, head = blockIdx.y;
  const std::int64_t at = (std::int64_t{row} * gridDim.y + head) * splits;
  const float2* const totals = partial.totals + at;
  float maximum = -INFINITY, sum = 0;
  for (int s = 0; s < splits; ++s) maximum = fmaxf(maximum, totals[s].x);
  for (int s = 0; s < splits; ++s) {
    if (totals[s].y > 0) sum += totals[s].y * __expf(totals[s].x - maximum);
  }
  for (int i = threadIdx.x; i < head_dim; i += blockDim.x) {
    float x = 0;
    for (int s = 0; s < splits; ++s) {
      if (totals[s].y > 0) {
        x += partial.output[(at + s) * head_dim + i] * __expf(totals[s].x - maximum);
      }
    }
    out[row][head * head_dim + i] = from_float<T>(x / sum);
  }
}

// Splits of a context: enough blocks to fill a large GPU several times, at least
// 128 keys each. From shapes alone, so that results do not depend on the GPU.
int splits_of(std::int64_t rows, std::int64_t heads, std::int64_t max_context) {
  const std::int64_t wanted = 2048 / std::max<std::int64_t>(1, rows * heads) + 1;
  return static_cast<int>(
      std::clamp<std::int64_t>(max_context / 128, 1, std::min<std::int64_t>(wanted, 64)));
}

template <class T, int W>
__global__ void store_kernel(Rows<const T> k, Rows<const T> v, const std::int32_t* slots,
                             Rows<T> k_cache, Rows<T> v_cache, int cols) {
  start_next_kernel();
  wait_for_previous_kernel();
  const std::int64_t row = blockIdx.x;
  const std::int64_t slot = slots[row];
  if (slot < 0) return;
  for (int col = threadIdx.x * W; col < cols; col += blockDim.x * W) {
    float x[W];
    load_pack(k[row] + col, x);
    store_pack(k_cache[slot] + col, x);
    load_pack(v[row] + col, x);
    store_pack(v_cache[slot] + col, x);
  }
}

}  // namespace

namespace {

void paged_rows(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                const PagedContext& paged, const HeadShape& heads, Tensor out) {
  const cudaStream_t stream = stream_of(context);
  ArenaScope scope(context.workspace);
  // A row's sums are in one order when its context is in one piece.
  const bool in_one_order = context.batch_invariance == BatchInvariance::on;
  const int splits = in_one_order ? 1 : splits_of(q.rows(), heads.num_heads, paged.max_context);
  const std::int64_t parts = q.rows() * heads.num_heads * splits;
  Partial partial{};
  if (splits > 1) {
    partial = {data_of<float>(context.workspace.take(DType::f32, {parts, heads.head_dim})),
               data_of<float2>(context.workspace.take(DType::f32, {parts, 2}))};
  }
  const Pages pages{data_of<const std::int32_t>(paged.query_offsets),
                    data_of<const std::int32_t>(paged.context_lengths),
                    rows_of<const std::int32_t>(paged.block_table),
                    static_cast<int>(paged.context_lengths.elements()),
                    static_cast<int>(k_cache.shape[1]),
                    static_cast<int>(heads.num_heads / heads.num_kv_heads),
                    splits,
                    heads.scale()};
  const auto rows = static_cast<unsigned>(q.rows()),
             num_heads = static_cast<unsigned>(heads.num_heads);
  dispatch_native(q.dtype, [&](auto zero) {
    using T = decltype(zero);
    const bool vectors = vectorizable<T>(q) && vectorizable<T>(k_cache) && vectorizable<T>(v_cache);
    with_head_groups<T>(
        static_cast<int>(heads.head_dim), vectors, [&](auto w, auto p, HeadGroups groups) {
          split_kernel<T, decltype(w)::value, decltype(p)::value>
              <<<dim3(rows, num_heads, static_cast<unsigned>(splits)), attend_threads,
                 attend_shared_bytes(groups), stream>>>(
                  rows_of<const T>(q), rows_of<const T>(k_cache), rows_of<const T>(v_cache), pages,
                  groups, partial, rows_of<T>(out));
        });
    if (splits == 1) return;
    merge_kernel<T><<<dim3(rows, num_heads), 64, 0, stream>>>(
        partial, splits, static_cast<int>(heads.head_dim), rows_of<T>(out));
  });
  check_launch("paged_attention");
}

}  // namespace

void paged_attention(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                     const PagedContext& paged, const HeadShape& heads, Tensor out) {
  if (q.elements() == 0) return;
  for (const Tensor& tensor : {q, k_cache, v_cache, out}) {
    if (!tiles_take(heads, tensor)) {
      return paged_rows(context, q, k_cache, v_cache, paged, heads, out);
    }
  }
  if (context.batch_invariance == BatchInvariance::on) {
    return fixed_order_attention(context, q, k_cache, v_cache, paged, heads, out);
  }
  paged_decode(context, q, k_cache, v_cache, paged, heads, out);
  if (paged.max_queries <= most_decode_queries) return;
  paged_tiles(context, q, k_cache, v_cache, paged, heads, most_decode_queries + 1, out);
}

void store_kv(Context& context, Tensor k, Tensor v, Tensor slots, Tensor k_cache, Tensor v_cache) {
  if (k.elements() == 0) return;
  dispatch_native(k.dtype, [&](auto zero) {
    using T = decltype(zero);
    with_width<T>(
        [&](auto width) {
          launch(context, store_kernel<T, decltype(width)::value>,
                 static_cast<unsigned>(k.rows()), 128, 0, "store_kv", rows_of<const T>(k),
                 rows_of<const T>(v), data_of<const std::int32_t>(slots), rows_of<T>(k_cache),
                 rows_of<T>(v_cache), static_cast<int>(k.cols()));
        },
        k, v, k_cache, v_cache);
  });
}

}  // namespace fathom::ops::cuda
