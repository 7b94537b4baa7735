// Attention to a paged cache. The tiles and the online softmax are those of
// attention_forward.cpp; only the way to keys and values differs. Tiles of many
// queries (prompts) gather the pages into scratch and multiply through oneDNN;
// those of few (generation) are bound by memory, and read the cache in place,
// once for all query heads of a group.
//
// With BatchInvariance::on every tile reads the cache in place, and sums over pieces of a fixed
// number of keys, which it combines in their order: a row's sums are the same in a tile of one
// query and of many, and whether the pieces of its context are units of their own or one after
// another.
#include <cmath>

#include "ops/cpu/attention_tiles.h"
#include "ops/dispatch.h"

namespace fathom::ops {
namespace {

using namespace cpu;

// Up to so many rows the cache is read in place, and up to so many keys: oneDNN makes its kernels
// at their first use, which takes longer than a short prompt.
constexpr std::int64_t max_direct_rows = 8, max_direct_keys = 64;
// Contexts are split until there are about so many units of work, enough for the
// cores of any machine, and no shorter than min_split keys. The split depends on
// shapes alone, so that results do not depend on the number of threads.
constexpr std::int64_t wanted_units = 256, min_split = 256;
// Keys of a piece with BatchInvariance::on, a multiple of tile_keys.
constexpr std::int64_t fixed_piece = 512;

struct PagedProblem {
  Tensor q, k_cache, v_cache, out;
  const PagedContext& paged;
  HeadTiling tiling;
  float scale;
  std::int64_t splits;  // of each context
  BatchInvariance invariance;

  bool invariant() const { return invariance == BatchInvariance::on; }
  // Keys of each split of a tile's.
  std::int64_t split_keys(std::int64_t keys) const {
    return invariant() ? fixed_piece : (keys + splits - 1) / splits;
  }

  std::int64_t across() const { return tiling.num_kv_heads * tiling.parts; }
  std::int64_t queries(std::int64_t sequence) const {
    const std::int32_t* offsets = paged.query_offsets.as<std::int32_t>();
    return offsets[sequence + 1] - offsets[sequence];
  }
};

struct PagedScratch {
  PerThread q, output, scores, max, sum, gathered;
  PerThread piece_output, piece_max, piece_sum;  // of the pieces behind the first

  PagedScratch(Arena& arena, int threads, std::int64_t head_dim, bool pieces)
      : q(arena, threads, tile_rows, head_dim),
        output(arena, threads, tile_rows, head_dim),
        scores(arena, threads, tile_rows, tile_keys),
        max(arena, threads, 1, tile_rows),
        sum(arena, threads, 1, tile_rows),
        gathered(arena, threads, tile_keys, head_dim),
        piece_output(arena, threads, pieces ? tile_rows : 0, head_dim),
        piece_max(arena, threads, 1, pieces ? tile_rows : 0),
        piece_sum(arena, threads, 1, pieces ? tile_rows : 0) {}

  SoftmaxState state(int thread, std::int64_t rows) const {
    return {max.data(thread), sum.data(thread), output.tile(thread, rows)};
  }
  SoftmaxState piece_state(int thread, std::int64_t rows) const {
    return {piece_max.data(thread), piece_sum.data(thread), piece_output.tile(thread, rows)};
  }
};

// As cpu::threads_that_fit(), for the scratch of these kernels.
int threads_that_fit(const Context& context, int threads, const PagedProblem& problem) {
  return cpu::threads_that_fit(context, threads, [&](Arena& arena, int n) {
    PagedScratch(arena, n, problem.tiling.head_dim, problem.invariant());
  });
}

// The states that the splits of a context end in, to be combined: of sequence s,
// key head and part u, split i in row (s · across + u) · splits + i.
struct Partial {
  Tensor output;    // [rows, tile rows · head_dim]
  Tensor max, sum;  // [rows, tile rows]

  Partial(Context& context, const PagedProblem& problem, std::int64_t tile_rows_used) {
    const std::int64_t sequences = problem.paged.context_lengths.elements();
    const std::int64_t rows = sequences * problem.across() * problem.splits;
    output = context.workspace.take(DType::f32, {rows, tile_rows_used * problem.tiling.head_dim});
    max = context.workspace.take(DType::f32, {rows, tile_rows_used});
    sum = context.workspace.take(DType::f32, {rows, tile_rows_used});
  }
  SoftmaxState state(std::int64_t row, std::int64_t rows, std::int64_t head_dim) const {
    return {max.as<float>() + row * max.cols(),
            sum.as<float>() + row * sum.cols(),
            {output.as<float>() + row * output.cols(), rows, head_dim, head_dim}};
  }
};

// The rows of one head of a sequence in one cache.
template <class T>
struct CacheRows {
  const T* data;
  const std::int32_t* pages;  // the sequence's row of block_table
  std::int64_t page_size, stride, head_dim;

  CacheRows(const PagedProblem& problem, Tensor cache, std::int64_t sequence, std::int64_t kv_head)
      : data(cache.as<T>() + kv_head * problem.tiling.head_dim),
        pages(problem.paged.block_table.as<std::int32_t>() +
              sequence * problem.paged.block_table.row_stride),
        page_size(cache.shape[1]),
        stride(cache.row_stride),
        head_dim(problem.tiling.head_dim) {}

  // visit(i, row) for the rows of tokens first + i, i in [0, count).
  template <class Visit>
  void for_each(std::int64_t first, std::int64_t count, Visit visit) const {
    for (std::int64_t i = 0; i < count;) {
      const std::int64_t in_page = (first + i) % page_size;
      const T* row = data + (pages[(first + i) / page_size] * page_size + in_page) * stride;
      const std::int64_t end = std::min(count, i + page_size - in_page);
      for (; i < end; ++i, row += stride) visit(i, row);
    }
  }

  Tile gather(std::int64_t first, std::int64_t count, float* to) const {
    for_each(first, count, [&](std::int64_t i, const T* row) {
      for (std::int64_t j = 0; j < head_dim; ++j) to[i * head_dim + j] = load(row[j]);
    });
    return {to, count, head_dim, head_dim};
  }
};

// scores = q kᵀ, a row of k read once for all rows of q.
template <class T>
void direct_scores(Tile q, const CacheRows<T>& k, std::int64_t first, Tile scores) {
  k.for_each(first, scores.cols, [&](std::int64_t key, const T* k_row) {
    for (std::int64_t i = 0; i < q.rows; ++i) {
      const float* q_row = q.row(i);
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t j = 0; j < q.cols; ++j) sum += q_row[j] * load(k_row[j]);
      scores.row(i)[key] = sum;
    }
  });
}

// output += p v, a row of v read once for all rows of p.
template <class T>
void add_direct_product(Tile p, const CacheRows<T>& v, std::int64_t first, Tile output) {
  v.for_each(first, p.cols, [&](std::int64_t key, const T* v_row) {
    for (std::int64_t i = 0; i < p.rows; ++i) {
      const float weight = p.row(i)[key];
      if (weight == 0) continue;  // hidden from this row: it takes not even a zero's sign from it
      float* out_row = output.row(i);
      for (std::int64_t j = 0; j < output.cols; ++j) out_row[j] += weight * load(v_row[j]);
    }
  });
}

// The state of the tile's softmax over the keys [begin, end).
template <class T>
void attend(const PagedProblem& problem, const QueryTile& tile, std::int64_t sequence,
            std::int64_t begin, std::int64_t end, const PagedScratch& scratch, int thread,
            SoftmaxState& state) {
  const CacheRows<T> k(problem, problem.k_cache, sequence, tile.kv_head);
  const CacheRows<T> v(problem, problem.v_cache, sequence, tile.kv_head);
  const bool direct =
      problem.invariant() || tile.rows() <= max_direct_rows || tile.keys() <= max_direct_keys;
  const Tile q = scratch.q.tile(thread, tile.rows());
  float* gathered = scratch.gathered.data(thread);
  load_queries(tile, problem.q, problem.tiling.head_dim, problem.scale, q);
  reset(state);
  for (std::int64_t key = begin; key < end; key += tile_keys) {
    const std::int64_t count = std::min(tile_keys, end - key);
    const Tile scores{scratch.scores.data(thread), tile.rows(), count, count};
    if (direct) {
      direct_scores(q, k, key, scores);
    } else {
      multiply_transposed(q, k.gather(key, count, gathered), scores);
    }
    softmax_step(tile, key, scores, state);
    if (direct) {
      add_direct_product(scores, v, key, state.output);
    } else {
      add_product(scores, v.gather(key, count, gathered), state.output);
    }
  }
}

void store_output(const PagedProblem& problem, const QueryTile& tile, const SoftmaxState& state) {
  for (std::int64_t i = 0; i < tile.rows(); ++i) {
    const float inverse = 1.0f / state.sum[i];
    for (std::int64_t j = 0; j < state.output.cols; ++j) state.output.row(i)[j] *= inverse;
  }
  store_queries(tile, state.output, 1.0f, problem.out);
}

// Adds the softmax over other keys to `state`, as if its keys had come last.
void merge(const SoftmaxState& other, SoftmaxState& state) {
  for (std::int64_t i = 0; i < state.output.rows; ++i) {
    if (other.sum[i] == 0) continue;  // none of its keys was visible
    const float max = std::max(state.max[i], other.max[i]);
    const float keep = std::exp(state.max[i] - max), take = std::exp(other.max[i] - max);
    state.max[i] = max;
    state.sum[i] = state.sum[i] * keep + other.sum[i] * take;
    float* row = state.output.row(i);
    const float* other_row = other.output.row(i);
    for (std::int64_t j = 0; j < state.output.cols; ++j) {
      row[j] = row[j] * keep + other_row[j] * take;
    }
  }
}

QueryTile tile_of(const PagedProblem& problem, std::int64_t sequence, std::int64_t block,
                  std::int64_t unit) {
  const std::int32_t begin = problem.paged.query_offsets.as<std::int32_t>()[sequence];
  const std::int32_t context = problem.paged.context_lengths.as<std::int32_t>()[sequence];
  const std::int64_t length = problem.queries(sequence);
  return query_tile(problem.tiling, begin, length, context - length, block,
                    unit / problem.tiling.parts, unit % problem.tiling.parts);
}

// The same over all keys of the tile, piece after piece.
template <class T>
void attend_pieces(const PagedProblem& problem, const QueryTile& tile, std::int64_t sequence,
                   const PagedScratch& scratch, int thread, SoftmaxState& state) {
  const std::int64_t keys = tile.keys();
  attend<T>(problem, tile, sequence, 0, std::min(keys, fixed_piece), scratch, thread, state);
  for (std::int64_t begin = fixed_piece; begin < keys; begin += fixed_piece) {
    SoftmaxState piece = scratch.piece_state(thread, tile.rows());
    attend<T>(problem, tile, sequence, begin, std::min(keys, begin + fixed_piece), scratch, thread,
              piece);
    merge(piece, state);
  }
}

// Every tile by itself, over all of its keys.
template <class T>
void attend_whole(Context& context, const PagedProblem& problem) {
  const std::int64_t sequences = problem.paged.context_lengths.elements();
  const auto units_of = [&](std::int64_t s) {
    return problem.tiling.blocks(problem.queries(s)) * problem.across();
  };
  const int threads = threads_that_fit(context, threads_for(sequences, units_of), problem);
  const PagedScratch scratch(context.workspace, threads, problem.tiling.head_dim,
                             problem.invariant());
  for_each_unit(threads, sequences, units_of, [&](int thread, std::int64_t s, std::int64_t unit) {
    const std::int64_t last = problem.tiling.blocks(problem.queries(s)) - 1;
    const QueryTile tile =
        tile_of(problem, s, last - unit / problem.across(), unit % problem.across());
    SoftmaxState state = scratch.state(thread, tile.rows());
    if (problem.invariant()) {
      attend_pieces<T>(problem, tile, s, scratch, thread, state);
    } else {
      attend<T>(problem, tile, s, 0, tile.keys(), scratch, thread, state);
    }
    store_output(problem, tile, state);
  });
}

// One tile a sequence and head, its keys split into pieces that are combined.
template <class T>
void attend_split(Context& context, const PagedProblem& problem) {
  const std::int64_t sequences = problem.paged.context_lengths.elements();
  const std::int64_t head_dim = problem.tiling.head_dim, splits = problem.splits;
  const auto tiles_of = [&](std::int64_t s) {
    return problem.queries(s) > 0 ? problem.across() : 0;
  };
  const auto units_of = [&](std::int64_t s) { return tiles_of(s) * splits; };
  const Partial partial(context, problem, problem.paged.max_queries * problem.tiling.heads);
  const int threads = threads_that_fit(context, threads_for(sequences, units_of), problem);
  const PagedScratch scratch(context.workspace, threads, head_dim, problem.invariant());
  for_each_unit(threads, sequences, units_of, [&](int thread, std::int64_t s, std::int64_t unit) {
    const QueryTile tile = tile_of(problem, s, 0, unit / splits);
    const std::int64_t piece = problem.split_keys(tile.keys());
    const std::int64_t begin = std::min(tile.keys(), unit % splits * piece);
    SoftmaxState state = partial.state(s * problem.across() * splits + unit, tile.rows(), head_dim);
    attend<T>(problem, tile, s, begin, std::min(tile.keys(), begin + piece), scratch, thread,
              state);
  });
  for_each_unit(threads, sequences, tiles_of, [&](int, std::int64_t s, std::int64_t unit) {
    const QueryTile tile = tile_of(problem, s, 0, unit);
    const std::int64_t first = (s * problem.across() + unit) * splits;
    SoftmaxState state = partial.state(first, tile.rows(), head_dim);
    for (std::int64_t i = 1; i < splits; ++i) {
      merge(partial.state(first + i, tile.rows(), head_dim), state);
    }
    store_output(problem, tile, state);
  });
}

// The same pieces for each context, or one where there are enough units without them or their
// states would take too much memory: neither changes a sum.
std::int64_t fixed_splits_for(const PagedContext& paged, const HeadTiling& tiling,
                              std::int64_t tiles) {
  constexpr std::int64_t max_floats = std::int64_t{1} << 20;
  if (tiles >= wanted_units) return 1;
  const std::int64_t splits = (paged.max_context + fixed_piece - 1) / fixed_piece;
  const std::int64_t rows = paged.max_queries * tiling.heads;
  return tiles * splits * rows * (tiling.head_dim + 2) > max_floats
             ? 1
             : std::max<std::int64_t>(splits, 1);
}

std::int64_t splits_for(const Context& context, const PagedContext& paged,
                        const HeadTiling& tiling) {
  if (paged.max_queries > tiling.tokens) return 1;  // several tiles a sequence are enough
  const std::int64_t tiles = paged.context_lengths.elements() * tiling.num_kv_heads * tiling.parts;
  if (tiles == 0) return 1;
  if (context.batch_invariance == BatchInvariance::on) {
    return fixed_splits_for(paged, tiling, tiles);
  }
  return std::clamp(wanted_units / tiles, std::int64_t{1},
                    std::max(std::int64_t{1}, paged.max_context / min_split));
}

}  // namespace

void cpu::paged_attention(Context& context, Tensor q, Tensor k_cache, Tensor v_cache,
                          const PagedContext& paged, const HeadShape& heads, Tensor out) {
  const HeadTiling tiling(heads);
  const PagedProblem problem{q,
                             k_cache,
                             v_cache,
                             out,
                             paged,
                             tiling,
                             heads.scale(),
                             splits_for(context, paged, tiling),
                             context.batch_invariance};
  const ArenaScope scope(context.workspace);
  dispatch_floating(k_cache.dtype, [&](auto type) {
    using T = decltype(type);
    if (problem.splits == 1) {
      attend_whole<T>(context, problem);
    } else {
      attend_split<T>(context, problem);
    }
  });
}

void cpu::store_kv(Context&, Tensor k, Tensor v, Tensor slots, Tensor k_cache, Tensor v_cache) {
  const std::int32_t* slot = slots.as<std::int32_t>();
  dispatch_floating(k.dtype, [&](auto type) {
    using T = decltype(type);
    parallel_for(k.rows(), 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        if (slot[i] < 0) continue;
        std::copy_n(k.as<T>() + i * k.row_stride, k.cols(),
                    k_cache.as<T>() + slot[i] * k_cache.row_stride);
        std::copy_n(v.as<T>() + i * v.row_stride, v.cols(),
                    v_cache.as<T>() + slot[i] * v_cache.row_stride);
      }
    });
  });
}

void cpu::rope_to_cache(Context& context, Tensor x, Tensor v, Tensor positions, Tensor table,
                        Tensor slots, Tensor k_cache, Tensor v_cache) {
  cpu::rope(context, x, positions, table, RopeDirection::forward);
  const Tensor k = x.columns(x.cols() - v.cols(), v.cols());
  cpu::store_kv(context, k, v, slots, k_cache, v_cache);
}

}  // namespace fathom::ops
