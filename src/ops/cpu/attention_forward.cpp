// FlashAttention-2's forward (Dao, 2023). For a tile of queries, over tiles j of
// their keys and values, up to the diagonal:
//
//   S_j = scale · Q K_jᵀ                          −inf above the diagonal
//   m'  = max(m, rowmax S_j),  P_j = exp(S_j − m')
//   l   = exp(m − m') l + rowsum P_j
//   O   = exp(m − m') O + P_j V_j,  m = m'
//
// and at the end out = O / l, lse = m + log l. The scale goes into Q once.
#include <cmath>

#include "ops/cpu/attention_tiles.h"
#include "ops/dispatch.h"

namespace fathom::ops {
namespace {

using namespace cpu;

struct ForwardProblem {
  Tensor q, k, v, out, lse;
  HeadTiling tiling;
  float scale;
};

struct ForwardScratch {
  PerThread q, output, scores, max, sum, converted;

  ForwardScratch(Arena& arena, int threads, DType dtype, std::int64_t head_dim)
      : q(arena, threads, tile_rows, head_dim),
        output(arena, threads, tile_rows, head_dim),
        scores(arena, threads, tile_rows, tile_keys),
        max(arena, threads, 1, tile_rows),
        sum(arena, threads, 1, tile_rows),
        converted(arena, threads, dtype == DType::f32 ? 0 : tile_keys, head_dim) {}
};

void store_output(const ForwardProblem& problem, const QueryTile& tile, const SoftmaxState& state) {
  for (std::int64_t i = 0; i < tile.rows(); ++i) {
    const float inverse = 1.0f / state.sum[i];
    float* row = state.output.row(i);
    for (std::int64_t j = 0; j < state.output.cols; ++j) row[j] *= inverse;
    const std::int64_t head = tile.first_head + i % tile.heads;
    const std::int64_t token = tile.first_token + i / tile.heads;
    problem.lse.as<float>()[head * problem.lse.row_stride + token] =
        state.max[i] + std::log(state.sum[i]);
  }
  store_queries(tile, state.output, 1.0f, problem.out);
}

// `begin` is the row of k and v where the tile's segment begins.
void forward_tile(const ForwardProblem& problem, const QueryTile& tile, std::int64_t begin,
                  const ForwardScratch& scratch, int thread) {
  const std::int64_t head_dim = problem.tiling.head_dim, rows = tile.rows();
  const Tile q = scratch.q.tile(thread, rows);
  SoftmaxState state{scratch.max.data(thread), scratch.sum.data(thread),
                     scratch.output.tile(thread, rows)};
  float* converted = scratch.converted.data(thread);
  load_queries(tile, problem.q, head_dim, problem.scale, q);
  reset(state);
  for (std::int64_t key = 0; key < tile.keys(); key += tile_keys) {
    const std::int64_t count = std::min(tile_keys, tile.keys() - key);
    const Tile scores{scratch.scores.data(thread), rows, count, count};
    multiply_transposed(
        q, rows_in_f32(problem.k, begin + key, count, tile.kv_head, head_dim, converted), scores);
    softmax_step(tile, key, scores, state);
    add_product(scores,
                rows_in_f32(problem.v, begin + key, count, tile.kv_head, head_dim, converted),
                state.output);
  }
  store_output(problem, tile, state);
}

}  // namespace

std::size_t cpu::forward_workspace(DType dtype, const HeadShape& heads) {
  return scratch_bytes(1, [&](Arena& arena, int threads) {
    return ForwardScratch(arena, threads, dtype, heads.head_dim);
  });
}

void cpu::attention(Context& context, Tensor q, Tensor k, Tensor v, const Segments& segments,
                    const HeadShape& heads, Tensor out, Tensor lse) {
  const ForwardProblem problem{q, k, v, out, lse, HeadTiling(heads), heads.scale()};
  const HeadTiling& tiling = problem.tiling;
  const std::int32_t* offsets = segments.offsets.as<std::int32_t>();
  const std::int64_t count = segments.offsets.elements() - 1;
  const std::int64_t across = tiling.num_kv_heads * tiling.parts;
  const auto units_of = [&](std::int64_t i) {
    return tiling.blocks(offsets[i + 1] - offsets[i]) * across;
  };

  const ArenaScope scope(context.workspace);
  const auto take = [&](Arena& arena, int n) {
    return ForwardScratch(arena, n, k.dtype, heads.head_dim);
  };
  const int threads = threads_that_fit(context, threads_for(count, units_of), take);
  const ForwardScratch scratch = take(context.workspace, threads);
  for_each_unit(threads, count, units_of, [&](int thread, std::int64_t i, std::int64_t unit) {
    const std::int64_t begin = offsets[i], length = offsets[i + 1] - begin;
    // The last block sees the most keys and comes first.
    const std::int64_t block = tiling.blocks(length) - 1 - unit / across;
    const QueryTile tile = query_tile(tiling, begin, length, 0, block, unit % across / tiling.parts,
                                      unit % tiling.parts);
    forward_tile(problem, tile, begin, scratch, thread);
  });
}

}  // namespace fathom::ops
