// The kernels of attention_tiles.cu and paged_decode.cu, run on the CPU from their own
// source against attention in double precision. The same kernels on a GPU are tested by
// attention_test.cpp and paged_attention_test.cpp.
#include <gtest/gtest.h>

#include "ops/attention_reference.h"
#include "ops/emulated_block.h"

namespace fathom::ops::cuda {
namespace {

using Integers = std::vector<std::int32_t>;

// Rows of bf16 at multiples of 16 bytes, with NaN between them.
struct Matrix {
  std::int64_t rows, cols, stride;
  std::vector<uint4> memory;  // for its alignment

  Matrix(std::int64_t rows_, std::int64_t cols_) : rows(rows_), cols(cols_), stride(cols_ + 8) {
    memory.assign(static_cast<std::size_t>(rows * stride / 8), {~0U, ~0U, ~0U, ~0U});
  }
  __nv_bfloat16* data() { return reinterpret_cast<__nv_bfloat16*>(memory.data()); }
  Rows<const __nv_bfloat16> input() { return {data(), stride}; }
  Rows<__nv_bfloat16> output() { return {data(), stride}; }
  void set_row(std::int64_t row, const double* values) {
    for (std::int64_t c = 0; c < cols; ++c) {
      data()[row * stride + c] = __float2bfloat16(static_cast<float>(values[c]));
    }
  }
  Matrix& set(const Doubles& values) {
    for (std::int64_t r = 0; r < rows; ++r) set_row(r, &values[static_cast<std::size_t>(r * cols)]);
    return *this;
  }
  Doubles get() {
    Doubles values;
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      values.push_back(__bfloat162float(data()[i / cols * stride + i % cols]));
    }
    return values;
  }
};

AttentionReference reference_of(const HeadShape& heads, const Integers& lengths,
                                const Integers& queries = {}) {
  AttentionReference r{heads, {0}, {}, {}, {}, {}, {}, {}, {}, {}, queries};
  for (const std::int32_t length : lengths) r.offsets.push_back(r.offsets.back() + length);
  const std::int64_t n = r.rows() * heads.head_dim;
  r.q = normal_values(n * heads.num_heads, 1, DType::bf16);
  r.k = normal_values(n * heads.num_kv_heads, 2, DType::bf16);
  r.v = normal_values(n * heads.num_kv_heads, 3, DType::bf16);
  r.forward();
  return r;
}

struct Case {
  HeadShape heads;
  Integers lengths;
};

const std::vector<Case>& packed_cases() {
  static const std::vector<Case> cases{
      {{2, 1, 64}, {5, 0, 70, 1, 130}}, {{2, 2, 128}, {65, 33}}, {{3, 1, 128}, {129}}};
  return cases;
}

std::int32_t longest(const Integers& lengths) {
  return *std::max_element(lengths.begin(), lengths.end());
}

template <int D>
void expect_packed(const Case& c) {
  AttentionReference r = reference_of(c.heads, c.lengths);
  const std::int64_t n = r.rows(), width = c.heads.num_heads * D, kv = c.heads.num_kv_heads * D;
  const auto segments = static_cast<unsigned>(c.lengths.size());
  Matrix q(n, width), k(n, kv), v(n, kv), out(n, width), dout(n, width);
  std::vector<float> lse(static_cast<std::size_t>(n * c.heads.num_heads));
  ForwardTiles forward{};
  forward.q = q.set(r.q).input();
  forward.k = k.set(r.k).input();
  forward.v = v.set(r.v).input();
  forward.out = out.output();
  forward.lse = lse.data();
  forward.lse_order = {n, n, 1, c.heads.num_heads};
  forward.query_offsets = r.offsets.data();
  forward.heads_per_kv = static_cast<int>(c.heads.num_heads / c.heads.num_kv_heads);
  forward.tiles = (longest(c.lengths) + tile_rows - 1) / tile_rows;
  forward.least_queries = 1;
  forward.scale = static_cast<float>(r.scale());
  const unsigned tiles = segments * static_cast<unsigned>(forward.tiles);
  emulated::launch(dim3(tiles, static_cast<unsigned>(c.heads.num_heads)), tile_threads,
                   [=] { forward_tile_kernel<D, false>(forward); });
  EXPECT_LT(attention_error(out.get(), r.out), 3e-3);
  EXPECT_LT(attention_error(Doubles(lse.begin(), lse.end()), r.lse), 1e-6);

  const Doubles upstream = normal_values(n * width, 4, DType::bf16);
  r.backward(upstream);
  Matrix dq(n, width), dk(n, kv), dv(n, kv);
  std::vector<float> dots(lse.size());
  BackwardTiles backward{};
  backward.q = forward.q;
  backward.k = forward.k;
  backward.v = forward.v;
  backward.out = out.input();
  backward.dout = dout.set(upstream).input();
  backward.dq = dq.output();
  backward.dk = dk.output();
  backward.dv = dv.output();
  backward.lse = lse.data();
  backward.lse_order = forward.lse_order;
  backward.row_dots = dots.data();
  backward.rows = n;
  backward.offsets = r.offsets.data();
  backward.heads_per_kv = forward.heads_per_kv;
  backward.tiles = forward.tiles;
  backward.scale = forward.scale;
  emulated::launch(dim3(tiles, static_cast<unsigned>(c.heads.num_heads)), tile_threads,
                   [=] { query_tile_kernel<D>(backward); });
  emulated::launch(dim3(tiles, static_cast<unsigned>(c.heads.num_kv_heads)), tile_threads,
                   [=] { key_tile_kernel<D>(backward); });
  EXPECT_LT(attention_error(dq.get(), r.dq), 4e-3);
  EXPECT_LT(attention_error(dk.get(), r.dk), 4e-3);
  EXPECT_LT(attention_error(dv.get(), r.dv), 4e-3);
}

TEST(TileKernels, ComputePackedAttentionAndItsGradients) {
  for (const Case& c : packed_cases()) {
    SCOPED_TRACE(c.heads.head_dim);
    if (c.heads.head_dim == 64) expect_packed<64>(c);
    if (c.heads.head_dim == 128) expect_packed<128>(c);
  }
}

// Contexts in pages, the last tokens of each as queries; by the prompts' kernel or the
// decoding one, which leaves sequences of more than 4 queries alone.
struct PagedCase {
  HeadShape heads;
  Integers contexts, queries;
  std::int64_t page_size;
};

struct PagedOperands {
  AttentionReference reference;
  Integers query_offsets{0}, table;
  std::int64_t pages;
  Matrix q, k, v, out;

  explicit PagedOperands(const PagedCase& c)
      : reference(reference_of(c.heads, c.contexts, c.queries)),
        pages((longest(c.contexts) + c.page_size - 1) / c.page_size),
        q(rows(c), c.heads.num_heads * c.heads.head_dim),
        k(cache_rows(c), c.heads.num_kv_heads * c.heads.head_dim),
        v(cache_rows(c), c.heads.num_kv_heads * c.heads.head_dim),
        out(rows(c), c.heads.num_heads * c.heads.head_dim) {
    table.resize(c.contexts.size() * static_cast<std::size_t>(pages));
    for (std::size_t i = 0; i < table.size(); ++i) {
      table[i] = static_cast<std::int32_t>(table.size() - i);  // backwards, page 0 unused
    }
    for (std::size_t s = 0; s < c.contexts.size(); ++s) {
      query_offsets.push_back(query_offsets.back() + c.queries[s]);
      for (std::int64_t t = 0; t < c.contexts[s]; ++t) {
        const std::int64_t at = reference.offsets[s] + t;
        const std::int64_t page = table[s * static_cast<std::size_t>(pages) + t / c.page_size];
        k.set_row(page * c.page_size + t % c.page_size, &reference.k[at * k.cols]);
        v.set_row(page * c.page_size + t % c.page_size, &reference.v[at * v.cols]);
        const std::int64_t query = t - (c.contexts[s] - c.queries[s]);
        if (query >= 0) q.set_row(query_offsets[s] + query, &reference.q[at * q.cols]);
      }
    }
  }
  std::int64_t cache_rows(const PagedCase& c) const {
    return (static_cast<std::int64_t>(c.contexts.size()) * pages + 1) * c.page_size;
  }
  static std::int64_t rows(const PagedCase& c) {
    std::int64_t sum = 0;
    for (const std::int32_t count : c.queries) sum += count;
    return sum;
  }
  // What the rows of sequences of at most `most` queries should be, and are.
  void expect(const PagedCase& c, std::int64_t most, double bound) {
    Doubles expected, actual;
    const Doubles all = out.get();
    for (std::size_t s = 0; s < c.contexts.size(); ++s) {
      if (c.queries[s] > most) continue;
      const auto end = reference.out.begin() + reference.offsets[s + 1] * out.cols;
      expected.insert(expected.end(), end - c.queries[s] * out.cols, end);
      actual.insert(actual.end(), all.begin() + query_offsets[s] * out.cols,
                    all.begin() + query_offsets[s + 1] * out.cols);
    }
    EXPECT_LT(attention_error(actual, expected), bound);
  }
};

template <int D>
void expect_prompts(const PagedCase& c) {
  PagedOperands x(c);
  ForwardTiles work{};
  work.q = x.q.input();
  work.k = x.k.input();
  work.v = x.v.input();
  work.out = x.out.output();
  work.query_offsets = x.query_offsets.data();
  work.context_lengths = c.contexts.data();
  work.block_table = {x.table.data(), x.pages};
  work.page_size = static_cast<int>(c.page_size);
  work.heads_per_kv = static_cast<int>(c.heads.num_heads / c.heads.num_kv_heads);
  work.tiles = (longest(c.queries) + tile_rows - 1) / tile_rows;
  work.least_queries = 1;
  work.scale = static_cast<float>(x.reference.scale());
  emulated::launch(dim3(static_cast<unsigned>(work.tiles) * static_cast<unsigned>(c.queries.size()),
                        static_cast<unsigned>(c.heads.num_heads)),
                   tile_threads, [=] { forward_tile_kernel<D, true>(work); });
  x.expect(c, 1000, 3e-3);
}

template <int D, int M>
void expect_decoded(const PagedCase& c, int splits) {
  PagedOperands x(c);
  DecodeWork work{};
  work.q = x.q.input();
  work.k = x.k.input();
  work.v = x.v.input();
  work.out = x.out.output();
  work.query_offsets = x.query_offsets.data();
  work.context_lengths = c.contexts.data();
  work.block_table = {x.table.data(), x.pages};
  work.page_size = static_cast<int>(c.page_size);
  work.heads_per_kv = static_cast<int>(c.heads.num_heads / c.heads.num_kv_heads);
  work.num_heads = static_cast<int>(c.heads.num_heads);
  work.splits = splits;
  work.most_queries = 4;
  work.scale_log2 = static_cast<float>(x.reference.scale()) * log2_of_e;
  const auto sequences = static_cast<unsigned>(c.contexts.size());
  const std::size_t parts = sequences * 4U * static_cast<unsigned>(work.num_heads * splits);
  std::vector<float> partial(parts * D, NAN);
  std::vector<float2> totals(parts, float2{NAN, NAN});
  work.partial = partial.data();
  work.totals = totals.data();
  emulated::launch(
      dim3(sequences, static_cast<unsigned>(c.heads.num_kv_heads), static_cast<unsigned>(splits)),
      decode_threads, [=] { decode_kernel<D, M>(work); });
  if (splits > 1) {
    emulated::launch(dim3(sequences * 4, static_cast<unsigned>(work.num_heads)), D,
                     [=] { merge_splits_kernel<D>(work); });
  }
  x.expect(c, 4, 3e-3);
}

TEST(TileKernels, AttendFromPromptsToThePagedCache) {
  expect_prompts<64>({{2, 1, 64}, {200, 3, 129}, {70, 3, 64}, 16});
  expect_prompts<128>({{2, 1, 128}, {300, 9}, {20, 0}, 1});
}

TEST(TileKernels, DecodeFromThePagedCache) {
  expect_decoded<64, 2>({{2, 1, 64}, {1, 140, 700}, {1, 1, 1}, 16}, 3);
  expect_decoded<128, 4>({{3, 1, 128}, {300, 30, 9, 2}, {1, 3, 9, 0}, 16}, 2);
  expect_decoded<128, 1>({{2, 2, 128}, {90, 33}, {1, 1}, 1}, 1);
}

}  // namespace
}  // namespace fathom::ops::cuda
