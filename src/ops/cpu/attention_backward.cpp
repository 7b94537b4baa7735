// FlashAttention-2's backward (Dao, 2023). With D = rowsum(dout ∘ out), for a
// tile of queries and each tile j of their keys, up to the diagonal:
//
//   P_j  = exp(scale · Q K_jᵀ − lse)              recomputed, 0 above the diagonal
//   dV_j += P_jᵀ dO
//   dS_j = P_j ∘ (dO V_jᵀ − D)
//   dQ   += scale · dS_j K_j
//   dK_j += scale · dS_jᵀ Q
//
// One thread owns a key head of a segment and goes through its queries in order:
// dK and dV are sums in a fixed order, the same bits for any number of threads,
// and the query heads of a group are added up inside the products.
#include "ops/cpu/attention_tiles.h"
#include "ops/dispatch.h"

namespace fathom::ops {
namespace {

using namespace cpu;

struct BackwardProblem {
  Tensor dout, q, k, v, out, lse, dq, dk, dv;
  HeadTiling tiling;
  float scale;
};

// In f32 keys and values are read, and dk and dv summed, where they lie. In bf16
// keys and values are converted a tile at a time, and dk and dv are summed in
// scratch for a whole segment, so that they are rounded once: megabytes a thread when segments
// are long.
struct BackwardScratch {
  PerThread q, dout, dq, p, ds, lse, d, k, v, dk, dv;

  BackwardScratch(Arena& arena, int threads, DType dtype, std::int64_t head_dim,
                  std::int64_t max_length)
      : BackwardScratch(arena, threads, head_dim, dtype == DType::f32 ? 0 : tile_keys,
                        dtype == DType::f32 ? 0 : max_length) {}
  BackwardScratch(Arena& arena, int threads, std::int64_t head_dim, std::int64_t converted_rows,
                  std::int64_t summed_rows)
      : q(arena, threads, tile_rows, head_dim),
        dout(arena, threads, tile_rows, head_dim),
        dq(arena, threads, tile_rows, head_dim),
        p(arena, threads, tile_rows, tile_keys),
        ds(arena, threads, tile_rows, tile_keys),
        lse(arena, threads, 1, tile_rows),
        d(arena, threads, 1, tile_rows),
        k(arena, threads, converted_rows, head_dim),
        v(arena, threads, converted_rows, head_dim),
        dk(arena, threads, summed_rows, head_dim),
        dv(arena, threads, summed_rows, head_dim) {}
};

// A key head of a segment: what one thread owns.
struct Owned {
  std::int64_t begin, length;  // rows of k and v
  std::int64_t kv_head;
  Tile dk, dv;  // [length, head_dim], sums
};

// The rows of one query tile, and its values that do not depend on the keys.
struct QueryRows {
  Tile q, dout, dq;      // q scaled
  const float *lse, *d;  // [rows]
};

Tile part_of(Tile tile, std::int64_t begin, std::int64_t count) {
  return {tile.row(begin), count, tile.cols, tile.stride};
}

void clear(Tile tile) {
  for (std::int64_t i = 0; i < tile.rows; ++i) std::fill_n(tile.row(i), tile.cols, 0.0f);
}

// Where dk or dv is summed: in dx itself for f32, in scratch for bf16.
Tile cleared_sum(Tensor dx, const Owned& owned, std::int64_t head_dim, float* scratch) {
  Tile sum{scratch, owned.length, head_dim, head_dim};
  if (dx.dtype == DType::f32) {
    sum = rows_in_f32(dx, owned.begin, owned.length, owned.kv_head, head_dim, scratch);
  }
  clear(sum);
  return sum;
}

void store_sum(const Owned& owned, Tile sum, Tensor dx) {
  if (dx.dtype == DType::f32) return;
  for (std::int64_t i = 0; i < sum.rows; ++i) {
    bfloat16* to = dx.as<bfloat16>() + (owned.begin + i) * dx.row_stride + owned.kv_head * sum.cols;
    for (std::int64_t j = 0; j < sum.cols; ++j) store(to[j], sum.row(i)[j]);
  }
}

QueryRows load_rows(const BackwardProblem& problem, const QueryTile& tile,
                    const BackwardScratch& scratch, int thread) {
  const std::int64_t rows = tile.rows(), head_dim = problem.tiling.head_dim;
  const QueryRows loaded{scratch.q.tile(thread, rows), scratch.dout.tile(thread, rows),
                         scratch.dq.tile(thread, rows), scratch.lse.data(thread),
                         scratch.d.data(thread)};
  const Tile out = loaded.dq;  // read here only
  load_queries(tile, problem.dout, head_dim, 1.0f, loaded.dout);
  load_queries(tile, problem.out, head_dim, 1.0f, out);
  for (std::int64_t i = 0; i < rows; ++i) {
    const float *a = loaded.dout.row(i), *b = out.row(i);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t j = 0; j < head_dim; ++j) sum += a[j] * b[j];
    scratch.d.data(thread)[i] = sum;
    const std::int64_t head = tile.first_head + i % tile.heads;
    scratch.lse.data(thread)[i] =
        problem.lse.as<float>()[head * problem.lse.row_stride + tile.first_token + i / tile.heads];
  }
  load_queries(tile, problem.q, head_dim, problem.scale, loaded.q);
  clear(loaded.dq);
  return loaded;
}

// p: scores to exp(scores − lse); ds: dO Vᵀ to p ∘ (dO Vᵀ − D).
void softmax_backward(const QueryTile& tile, std::int64_t first_key, const QueryRows& rows, Tile p,
                      Tile ds) {
  for (std::int64_t i = 0; i < p.rows; ++i) {
    float *p_row = p.row(i), *ds_row = ds.row(i);
    const float lse = rows.lse[i], d = rows.d[i];
    const std::int64_t visible = std::clamp(tile.visible(i) - first_key, std::int64_t{0}, p.cols);
#pragma omp simd
    for (std::int64_t j = 0; j < visible; ++j) {
      p_row[j] = exp_of(p_row[j] - lse);
      ds_row[j] = p_row[j] * (ds_row[j] - d);
    }
    std::fill(p_row + visible, p_row + p.cols, 0.0f);
    std::fill(ds_row + visible, ds_row + p.cols, 0.0f);
  }
}

void backward_tile(const BackwardProblem& problem, const Owned& owned, const QueryTile& tile,
                   const BackwardScratch& scratch, int thread) {
  const std::int64_t head_dim = problem.tiling.head_dim;
  const QueryRows rows = load_rows(problem, tile, scratch, thread);
  for (std::int64_t key = 0; key < tile.keys(); key += tile_keys) {
    const std::int64_t count = std::min(tile_keys, tile.keys() - key);
    const Tile k = rows_in_f32(problem.k, owned.begin + key, count, owned.kv_head, head_dim,
                               scratch.k.data(thread));
    const Tile v = rows_in_f32(problem.v, owned.begin + key, count, owned.kv_head, head_dim,
                               scratch.v.data(thread));
    const Tile p{scratch.p.data(thread), tile.rows(), count, count};
    const Tile ds{scratch.ds.data(thread), tile.rows(), count, count};
    multiply_transposed(rows.q, k, p);
    multiply_transposed(rows.dout, v, ds);
    softmax_backward(tile, key, rows, p, ds);
    add_transposed_product(p, rows.dout, part_of(owned.dv, key, count));
    add_product(ds, k, rows.dq);
    add_transposed_product(ds, rows.q, part_of(owned.dk, key, count));
  }
  store_queries(tile, rows.dq, problem.scale, problem.dq);
}

}  // namespace

std::size_t cpu::backward_workspace(DType dtype, const HeadShape& heads, std::int64_t max_length) {
  return scratch_bytes(1, [&](Arena& arena, int threads) {
    return BackwardScratch(arena, threads, dtype, heads.head_dim, max_length);
  });
}

void cpu::attention_backward(Context& context, Tensor dout, Tensor q, Tensor k, Tensor v,
                             Tensor out, Tensor lse, const Segments& segments,
                             const HeadShape& heads, Tensor dq, Tensor dk, Tensor dv) {
  const BackwardProblem problem{dout,         q, k, v, out, lse, dq, dk, dv, HeadTiling(heads),
                                heads.scale()};
  const HeadTiling& tiling = problem.tiling;
  const std::int32_t* offsets = segments.offsets.as<std::int32_t>();
  const std::int64_t count = segments.offsets.elements() - 1;
  const auto units_of = [&](std::int64_t i) {
    return offsets[i + 1] > offsets[i] ? tiling.num_kv_heads : 0;
  };

  const ArenaScope scope(context.workspace);
  const auto take = [&](Arena& arena, int n) {
    return BackwardScratch(arena, n, k.dtype, heads.head_dim, segments.max_length);
  };
  const int threads = threads_that_fit(context, threads_for(count, units_of), take);
  const BackwardScratch scratch = take(context.workspace, threads);
  for_each_unit(threads, count, units_of, [&](int thread, std::int64_t i, std::int64_t kv_head) {
    Owned owned{offsets[i], offsets[i + 1] - offsets[i], kv_head, {}, {}};
    owned.dk = cleared_sum(dk, owned, tiling.head_dim, scratch.dk.data(thread));
    owned.dv = cleared_sum(dv, owned, tiling.head_dim, scratch.dv.data(thread));
    for (std::int64_t block = 0; block < tiling.blocks(owned.length); ++block) {
      for (std::int64_t part = 0; part < tiling.parts; ++part) {
        const QueryTile tile =
            query_tile(tiling, owned.begin, owned.length, 0, block, kv_head, part);
        backward_tile(problem, owned, tile, scratch, thread);
      }
    }
    store_sum(owned, owned.dk, dk);
    store_sum(owned, owned.dv, dv);
  });
}

}  // namespace fathom::ops
