#include "ops/cuda/attention_tiles.h"
#include "ops/cuda/cuda_utils.h"
#include "ops/cuda/lse_order.h"
#include "ops/cuda/tile_backward.h"
#include "ops/cuda/tile_forward.h"

namespace fathom::ops::cuda {
namespace {

template <bool Paged>
void launch(const Context& context, const HeadShape& heads, std::int64_t sequences,
            std::int64_t max_queries, ForwardTiles work) {
  const cudaStream_t stream = stream_of(context);
  work.tiles = static_cast<int>((max_queries + tile_rows - 1) / tile_rows);
  work.heads_per_kv = static_cast<int>(heads.num_heads / heads.num_kv_heads);
  work.scale = heads.scale();
  const dim3 grid(static_cast<unsigned>(work.tiles * sequences),
                  static_cast<unsigned>(heads.num_heads));
  if (work.tiles == 0 || sequences == 0) return;
  if (heads.head_dim == 64) {
    forward_tile_kernel<64, Paged>
        <<<grid, tile_threads, 3 * Tile<64>::bytes_of(tile_rows), stream>>>(work);
  } else {
    forward_tile_kernel<128, Paged>
        <<<grid, tile_threads, 3 * Tile<128>::bytes_of(tile_rows), stream>>>(work);
  }
}

template <int D>
void launch_backward(const BackwardTiles& work, std::int64_t sequences, const HeadShape& heads,
                     cudaStream_t stream) {
  constexpr int bytes = 2 * Tile<D>::bytes_of(tile_rows) + 2 * Tile<D>::bytes_of(step_rows);
  const auto tiles = static_cast<unsigned>(work.tiles * sequences);
  query_tile_kernel<D>
      <<<dim3(tiles, static_cast<unsigned>(heads.num_heads)), tile_threads, bytes, stream>>>(work);
  key_tile_kernel<D>
      <<<dim3(tiles, static_cast<unsigned>(heads.num_kv_heads)), tile_threads, bytes, stream>>>(
          work);
}

}  // namespace

bool tiles_take(const HeadShape& heads, const Tensor& tensor) {
  return tensor.dtype == DType::bf16 && (heads.head_dim == 64 || heads.head_dim == 128) &&
         vectorizable<__nv_bfloat16>(tensor);
}

void attention_tiles(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
                     const HeadShape& heads, Tensor out, Tensor lse) {
  ForwardTiles work{};
  work.q = rows_of<const __nv_bfloat16>(q);
  work.k = rows_of<const __nv_bfloat16>(k);
  work.v = rows_of<const __nv_bfloat16>(v);
  work.out = rows_of<__nv_bfloat16>(out);
  work.lse = data_of<float>(lse);
  work.lse_order = lse_order(segments, heads, q.rows());
  work.query_offsets = data_of<const std::int32_t>(segments.offsets);
  work.least_queries = 1;
  launch<false>(context, heads, segments.offsets.elements() - 1, segments.max_length, work);
  check_launch("attention");
}

void attention_tiles_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v,
                              Tensor out, Tensor lse, const Segments& segments,
                              const HeadShape& heads, Tensor dq, Tensor dk, Tensor dv) {
  const std::int64_t sequences = segments.offsets.elements() - 1;
  if (sequences == 0 || q.elements() == 0) return;
  const ArenaScope scope(context.workspace);
  BackwardTiles work{};
  work.q = rows_of<const __nv_bfloat16>(q);
  work.k = rows_of<const __nv_bfloat16>(k);
  work.v = rows_of<const __nv_bfloat16>(v);
  work.out = rows_of<const __nv_bfloat16>(out);
  work.dout = rows_of<const __nv_bfloat16>(dout);
  work.dq = rows_of<__nv_bfloat16>(dq);
  work.dk = rows_of<__nv_bfloat16>(dk);
  work.dv = rows_of<__nv_bfloat16>(dv);
  work.lse = data_of<const float>(lse);
  work.lse_order = lse_order(segments, heads, q.rows());
  work.row_dots = data_of<float>(context.workspace.take(DType::f32, {heads.num_heads, q.rows()}));
  work.rows = q.rows();
  work.offsets = data_of<const std::int32_t>(segments.offsets);
  work.heads_per_kv = static_cast<int>(heads.num_heads / heads.num_kv_heads);
  work.tiles = static_cast<int>((segments.max_length + tile_rows - 1) / tile_rows);
  work.scale = heads.scale();
  const cudaStream_t stream = stream_of(context);
  if (heads.head_dim == 64) {
    launch_backward<64>(work, sequences, heads, stream);
  } else {
    launch_backward<128>(work, sequences, heads, stream);
  }
  check_launch("attention_backward");
}

void paged_tiles(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                 const PagedContext& paged, const HeadShape& heads, std::int64_t least_queries,
                 Tensor out) {
  ForwardTiles work{};
  work.q = rows_of<const __nv_bfloat16>(q);
  work.k = rows_of<const __nv_bfloat16>(k_cache);
  work.v = rows_of<const __nv_bfloat16>(v_cache);
  work.out = rows_of<__nv_bfloat16>(out);
  work.query_offsets = data_of<const std::int32_t>(paged.query_offsets);
  work.context_lengths = data_of<const std::int32_t>(paged.context_lengths);
  work.block_table = rows_of<const std::int32_t>(paged.block_table);
  work.page_size = static_cast<int>(k_cache.shape[1]);
  work.least_queries = static_cast<int>(least_queries);
  launch<true>(context, heads, paged.context_lengths.elements(), paged.max_queries, work);
  check_launch("paged_attention");
}

}  // namespace fathom::ops::cuda
