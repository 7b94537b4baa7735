#include <algorithm>

#include "ops/cuda/attention_tiles.h"
#include "ops/cuda/decode_kernel.h"
#include "ops/cuda/launch.h"
#include "ops/cuda/paged_decode.h"

namespace fathom::ops::cuda {
namespace {

// Splits of a context: enough blocks to fill a large GPU several times, of at least
// `least_split` keys, in 32 MiB of workspace. From shapes alone, so that results do not
// depend on the GPU. `outputs`: (token, head) pairs.
int splits_of(std::int64_t sequences, const HeadShape& heads, std::int64_t outputs,
              std::int64_t max_context) {
  constexpr std::int64_t blocks = 1056, memory = std::int64_t{32} << 20;
  const std::int64_t readers = sequences * heads.num_kv_heads;
  const std::int64_t wanted = (blocks + readers - 1) / readers;
  const std::int64_t fit = memory / (outputs * (heads.head_dim + 2) * 4);
  const std::int64_t most = std::max<std::int64_t>(1, std::min({wanted, fit, std::int64_t{64}}));
  return static_cast<int>(std::clamp<std::int64_t>(max_context / least_split, 1, most));
}

template <int D, int M, int Threads = decode_threads>
void launch_decode(const Context& context, const DecodeWork& work, dim3 grid) {
  constexpr int groups = Threads / (D / 8);
  launch(context, decode_kernel<D, M, Threads>, grid, Threads, groups * (D + 2) * sizeof(float),
         "paged_attention", work);
}

// M: pairs that a block computes at once.
template <int D>
void launch_for(const Context& context, std::int64_t pairs, const DecodeWork& work,
                std::int64_t sequences, int kv_heads) {
  const dim3 grid(static_cast<unsigned>(sequences), static_cast<unsigned>(kv_heads),
                  static_cast<unsigned>(work.splits));
  constexpr unsigned few_blocks = 264;  // two a multiprocessor of a large GPU
  if (pairs == 1 && grid.x * grid.y * grid.z <= few_blocks) {
    launch_decode<D, 1, most_decode_threads>(context, work, grid);
  } else if (pairs == 1) {
    launch_decode<D, 1>(context, work, grid);
  } else if (pairs == 2) {
    launch_decode<D, 2>(context, work, grid);
  } else if (pairs <= 4) {
    launch_decode<D, 4>(context, work, grid);
  } else {
    launch_decode<D, 8>(context, work, grid);
  }
  if (work.splits == 1) return;
  const dim3 merge_grid(static_cast<unsigned>(sequences * work.most_queries),
                        static_cast<unsigned>(work.num_heads));
  launch(context, merge_splits_kernel<D>, merge_grid, D, 0, "paged_attention", work);
}

}  // namespace

void paged_decode(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                  const PagedContext& paged, const HeadShape& heads, Tensor out) {
  const std::int64_t sequences = paged.context_lengths.elements();
  if (sequences == 0) return;
  const std::int64_t most = std::min(most_decode_queries, paged.max_queries);
  const auto heads_per_kv = heads.num_heads / heads.num_kv_heads;
  DecodeWork work{};
  work.q = rows_of<const __nv_bfloat16>(q);
  work.k = rows_of<const __nv_bfloat16>(k_cache);
  work.v = rows_of<const __nv_bfloat16>(v_cache);
  work.out = rows_of<__nv_bfloat16>(out);
  work.query_offsets = data_of<const std::int32_t>(paged.query_offsets);
  work.context_lengths = data_of<const std::int32_t>(paged.context_lengths);
  work.block_table = rows_of<const std::int32_t>(paged.block_table);
  work.page_size = static_cast<int>(k_cache.shape[1]);
  work.heads_per_kv = static_cast<int>(heads_per_kv);
  work.num_heads = static_cast<int>(heads.num_heads);
  const std::int64_t outputs = sequences * most * heads.num_heads;
  work.splits = splits_of(sequences, heads, outputs, paged.max_context);
  work.most_queries = static_cast<int>(most);
  work.scale_log2 = heads.scale() * log2_of_e;
  const ArenaScope scope(context.workspace);
  if (work.splits > 1) {
    const std::int64_t parts = outputs * work.splits;
    work.partial = data_of<float>(context.workspace.take(DType::f32, {parts, heads.head_dim}));
    work.totals = data_of<float2>(context.workspace.take(DType::f32, {parts, 2}));
  }
  const auto kv_heads = static_cast<int>(heads.num_kv_heads);
  if (heads.head_dim == 64) {
    launch_for<64>(context, most * heads_per_kv, work, sequences, kv_heads);
  } else {
    launch_for<128>(context, most * heads_per_kv, work, sequences, kv_heads);
  }
}

}  // namespace fathom::ops::cuda
