// Code that the attention kernels share: cutting queries into tiles, products of
// tiles, one step of the online softmax, and sharing the tiles out over
// threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "core/context.h"
#include "core/num_threads_scope.h"
#include "core/parallel.h"
#include "ops/attention.h"
#include "ops/cpu/math.h"

namespace fathom::ops::cpu {

// Tile sizes: a tile of scores (64 KiB) and its keys stay in the second-level
// cache, the products run at the speed of large ones, and only half of a
// query tile's last 64 keys is computed in vain.
inline constexpr std::int64_t tile_rows = 64;
inline constexpr std::int64_t tile_keys = 256;

// A matrix of f32 in memory; rows lie `stride` elements apart.
struct Tile {
  float* data = nullptr;
  std::int64_t rows = 0, cols = 0, stride = 0;

  float* row(std::int64_t i) const { return data + i * stride; }
};

// Products of tiles on the calling thread, by oneDNN.
void multiply_transposed(Tile a, Tile b, Tile c);     // c  = a bᵀ
void add_product(Tile a, Tile b, Tile c);             // c += a b
void add_transposed_product(Tile a, Tile b, Tile c);  // c += aᵀ b

// How the query heads that share a key head (a group) are laid into tiles: a tile
// holds `heads` neighbouring heads of `tokens` neighbouring tokens, so that keys
// and values are read once for all of them. Groups of more than tile_rows heads
// take several parts.
struct HeadTiling {
  std::int64_t group, heads, parts, tokens, head_dim, num_kv_heads;

  explicit HeadTiling(const HeadShape& shape)
      : group(shape.num_heads / shape.num_kv_heads),
        heads(std::min(group, tile_rows)),
        parts((group + heads - 1) / heads),
        tokens(tile_rows / heads),
        head_dim(shape.head_dim),
        num_kv_heads(shape.num_kv_heads) {}

  std::int64_t blocks(std::int64_t length) const { return (length + tokens - 1) / tokens; }
};

// The queries of one tile. Row i is head i % heads of token i / heads: the order
// in which they lie in q, so that a token's rows are one contiguous piece.
struct QueryTile {
  std::int64_t first_token;  // row of q
  std::int64_t position;     // of that token in its context
  std::int64_t tokens;
  std::int64_t kv_head, first_head, heads;

  std::int64_t rows() const { return tokens * heads; }
  // Number of keys that a row attends to, and that the last row attends to.
  std::int64_t visible(std::int64_t row) const { return position + row / heads + 1; }
  std::int64_t keys() const { return position + tokens; }
};

// Tile `block`, of part `part` of key head `kv_head`, over the queries
// [begin, begin + length) that follow `past` earlier tokens of their context.
inline QueryTile query_tile(const HeadTiling& tiling, std::int64_t begin, std::int64_t length,
                            std::int64_t past, std::int64_t block, std::int64_t kv_head,
                            std::int64_t part) {
  const std::int64_t token = block * tiling.tokens, head = part * tiling.heads;
  return {begin + token,
          past + token,
          std::min(tiling.tokens, length - token),
          kv_head,
          kv_head * tiling.group + head,
          std::min(tiling.heads, tiling.group - head)};
}

// to [rows, head_dim] = the tile's rows of x [n, num_heads · head_dim], times scale.
void load_queries(const QueryTile& tile, Tensor x, std::int64_t head_dim, float scale, Tile to);
// The way back: the tile's rows of x = from, times scale.
void store_queries(const QueryTile& tile, Tile from, float scale, Tensor x);

// Rows [begin, begin + count) of head `head` of x [n, heads · head_dim] in f32: in
// place, or converted into `scratch`.
Tile rows_in_f32(Tensor x, std::int64_t begin, std::int64_t count, std::int64_t head,
                 std::int64_t head_dim, float* scratch);

// The state of an online softmax over the rows of a query tile.
struct SoftmaxState {
  float* max;   // [rows] largest score so far
  float* sum;   // [rows] Σ exp(score − max)
  Tile output;  // [rows, head_dim] Σ exp(score − max) · v
};
void reset(SoftmaxState& state);

// Updates the state with the scores of keys [first_key, first_key + scores.cols): replaces them
// by exp(score − max), or 0 above the diagonal, and rescales the state to the new
// maximum. The caller then adds scores · v to the output.
void softmax_step(const QueryTile& tile, std::int64_t first_key, Tile scores, SoftmaxState& state);

[[noreturn]] void fail_small_workspace(std::size_t bytes, std::size_t room);

// Bytes of workspace that one thread takes, forward and backward, for segments up to `max_length`.
std::size_t forward_workspace(DType dtype, const HeadShape& heads);
std::size_t backward_workspace(DType dtype, const HeadShape& heads, std::int64_t max_length);

// A scratch matrix for each thread.
class PerThread {
 public:
  PerThread(Arena& arena, int threads, std::int64_t rows, std::int64_t cols)
      : memory_(arena.take(DType::f32, {threads, rows, cols}).as<float>()),
        each_(rows * cols),
        cols_(cols) {}
  float* data(int thread) const { return memory_ + thread * each_; }
  Tile tile(int thread, std::int64_t rows) const { return {data(thread), rows, cols_, cols_}; }

 private:
  float* memory_;
  std::int64_t each_, cols_;
};

// Bytes that take(arena, threads) takes from an arena.
template <class Take>
std::size_t scratch_bytes(int threads, Take&& take) {
  Arena arena = Arena::measuring();
  take(arena, threads);
  return arena.peak();
}

// The number of threads, at most `threads`, whose scratch fits the workspace; take(arena, n) takes
// the scratch of n. Throws a runtime Error when not even one fits.
template <class Take>
int threads_that_fit(const Context& context, int threads, Take&& take) {
  const std::size_t room = context.workspace.capacity() - context.workspace.mark();
  std::size_t bytes = scratch_bytes(threads, take);
  while (threads > 1 && bytes > room) {
    const auto next = static_cast<int>(static_cast<std::size_t>(threads) * room / bytes);
    threads = std::clamp(next, 1, threads - 1);
    bytes = scratch_bytes(threads, take);
  }
  if (bytes > room) fail_small_workspace(bytes, room);
  return threads;
}

// visit(thread, i, unit) for the units [0, units_of(i)) of every i in [0, count).
// A unit goes to the next thread that is free, so those of one i should come in
// descending order of cost. What a unit computes must not depend on its thread.
template <class UnitsOf, class Visit>
void for_each_unit(int threads, std::int64_t count, UnitsOf units_of, Visit visit) {
  // A product of tiles is one thread's, also where no other works: oneDNN would divide it among all
  // of them, and sum in another order.
  std::optional<NumThreadsScope> alone;
  if (threads == 1) alone.emplace(1);
  std::atomic<std::int64_t> next{0};
  on_each_thread(
      [&](int thread, int) {
        std::int64_t i = 0, first = 0;  // `first` is the number of i's first unit
        while (true) {
          const std::int64_t unit = next.fetch_add(1, std::memory_order_relaxed);
          while (i < count && unit >= first + units_of(i)) first += units_of(i++);
          if (i == count) return;
          visit(thread, i, unit - first);
        }
      },
      threads);
}

// Threads worth starting for that many units.
template <class UnitsOf>
int threads_for(std::int64_t count, UnitsOf units_of) {
  const std::int64_t threads = num_threads();
  std::int64_t units = 0;
  for (std::int64_t i = 0; i < count && units < threads; ++i) units += units_of(i);
  return static_cast<int>(std::clamp(units, std::int64_t{1}, threads));
}

}  // namespace fathom::ops::cpu
