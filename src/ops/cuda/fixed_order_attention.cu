#include <algorithm>

#include "ops/cuda/fixed_order_attention.h"
#include "ops/cuda/fixed_order_attention_kernel.h"

namespace fathom::ops::cuda {
namespace {

// Blocks of their own for the splits of a context: where there are fewer tiles than occupy a large
// GPU, in 32 MiB of workspace; else 1.
int splits_of(const PagedContext& paged, const HeadShape& heads, std::int64_t rows,
              std::int64_t tiles) {
  constexpr std::int64_t enough_tiles = 528, memory = std::int64_t{32} << 20;
  const std::int64_t splits = (paged.max_context + fixed_split_keys - 1) / fixed_split_keys;
  const std::int64_t bytes = rows * heads.num_heads * splits * (heads.head_dim + 2) * 4;
  return tiles < enough_tiles && bytes <= memory ? static_cast<int>(splits) : 1;
}

template <int D, int Warps>
void launch(const FixedOrderAttention& work, std::int64_t sequences, const HeadShape& heads,
            cudaStream_t stream) {
  constexpr int bytes = fixed_order_shared_bytes<D, Warps>();
  if constexpr (bytes > 48 << 10) {
    allow_shared_memory(fixed_order_tile_kernel<D, Warps>, "paged_attention");
  }
  const dim3 grid(static_cast<unsigned>(work.tiles * sequences),
                  static_cast<unsigned>(heads.num_kv_heads), static_cast<unsigned>(work.splits));
  fixed_order_tile_kernel<D, Warps><<<grid, 32 * Warps, bytes, stream>>>(work);
  if (!work.partial) return;
  fixed_order_merge_kernel<D><<<dim3(static_cast<unsigned>(sequences * work.most_queries),
                                     static_cast<unsigned>(heads.num_heads)),
                                D, 0, stream>>>(work);
}

template <int D>
void launch_for(const FixedOrderAttention& work, int warps, std::int64_t sequences,
                const HeadShape& heads, cudaStream_t stream) {
  if (warps == 1) return launch<D, 1>(work, sequences, heads, stream);
  launch<D, 4>(work, sequences, heads, stream);
}

}  // namespace

void fixed_order_attention(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                           const PagedContext& paged, const HeadShape& heads, Tensor out) {
  const std::int64_t sequences = paged.context_lengths.elements();
  if (sequences == 0 || paged.max_queries == 0) return;
  const cudaStream_t stream = stream_of(context);
  const std::int64_t heads_per_kv = heads.num_heads / heads.num_kv_heads;
  const std::int64_t pairs = paged.max_queries * heads_per_kv;
  const int warps = pairs <= 16 ? 1 : 4;
  FixedOrderAttention work{};
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
  work.tiles = static_cast<int>((pairs + 16 * warps - 1) / (16 * warps));
  work.most_queries = static_cast<int>(paged.max_queries);
  work.scale_log2 = heads.scale() * log2_of_e;
  work.splits = splits_of(paged, heads, q.rows(), work.tiles * sequences * heads.num_kv_heads);
  const ArenaScope scope(context.workspace);
  if (work.splits > 1) {
    const std::int64_t parts = q.rows() * heads.num_heads * work.splits;
    work.partial = data_of<float>(context.workspace.take(DType::f32, {parts, heads.head_dim}));
    work.totals = data_of<float2>(context.workspace.take(DType::f32, {parts, 2}));
  }
  if (heads.head_dim == 64) {
    launch_for<64>(work, warps, sequences, heads, stream);
  } else {
    launch_for<128>(work, warps, sequences, heads, stream);
  }
  check_launch("paged_attention");
}

}  // namespace fathom::ops::cuda
