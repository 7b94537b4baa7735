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

template <int D, int M, int Threads = decode_threads>
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
      Threads, [=] { decode_kernel<D, M, Threads>(work); });
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
  expect_decoded<128, 1, most_decode_threads>({{2, 2, 128}, {90, 300}, {1, 1}, 16}, 1);
  expect_decoded<64, 1, most_decode_threads>({{1, 1, 64}, {700}, {1}, 16}, 2);
}

// --- BatchInvariance::on: what a row comes to in tiles of every shape, against the same sum in
// double precision, and against itself to the bit.

struct ProductOperands {
  int rows, out, in;
  Matrix x, w;
  Doubles product;

  ProductOperands(int rows_, int out_, int in_)
      : rows(rows_), out(out_), in(in_), x(rows, in), w(out, in) {
    const Doubles left = normal_values(std::int64_t{rows} * in, 1, DType::bf16),
                  right = normal_values(std::int64_t{out} * in, 2, DType::bf16);
    x.set(left);
    w.set(right);
    for (int r = 0; r < rows; ++r) {
      for (int f = 0; f < out; ++f) {
        double sum = 0;
        for (int k = 0; k < in; ++k)
          sum += left[static_cast<std::size_t>(r * in + k)] *
                 right[static_cast<std::size_t>(f * in + k)];
        product.push_back(sum);
      }
    }
  }
};

// Rows [first, first + count) of the product, as a call for them alone computes it.
template <class Shape>
std::vector<float> fixed_order_rows(ProductOperands& p, int first, int count, bool pairs,
                                    float before = 0) {
  const auto end = static_cast<std::size_t>(count * p.out);
  std::vector<float> y(end + 1, before);
  y[end] = -7;
  FixedOrderWork<float> work{p.x.input(), p.w.input(), {y.data(), p.out}, count,
                             p.out,       p.in,        before != 0,       pairs};
  work.x.data += first * work.x.stride;
  const unsigned rows = static_cast<unsigned>((count + Shape::rows - 1) / Shape::rows),
                 features = static_cast<unsigned>((p.out + Shape::features - 1) / Shape::features);
  emulated::launch(dim3(rows, features), Shape::threads,
                   [=] { fixed_order_kernel<Shape, float>(work); });
  EXPECT_EQ(y.back(), -7) << "behind the last feature";
  y.pop_back();
  return y;
}

TEST(TileKernels, MultiplyRowsInOneOrder) {
  ProductOperands p(70, 70, 200);
  const std::vector<float> expected = fixed_order_rows<FixedOrderMany>(p, 0, 70, true);
  EXPECT_LT(attention_error(Doubles(expected.begin(), expected.end()), p.product), 1e-6);
  const auto expect_rows = [&](int first, const std::vector<float>& got) {
    const auto from = expected.begin() + first * p.out;
    EXPECT_EQ(got, std::vector<float>(from, from + std::ssize(got))) << "from row " << first;
  };
  expect_rows(0, fixed_order_rows<FixedOrderMore>(p, 0, 70, false));
  expect_rows(31, fixed_order_rows<FixedOrderMore>(p, 31, 30, true));
  expect_rows(3, fixed_order_rows<FixedOrderSome>(p, 3, 21, true));
  expect_rows(0, fixed_order_rows<FixedOrderFew>(p, 0, 17, true));
  expect_rows(69, fixed_order_rows<FixedOrderFew>(p, 69, 1, false));
  const std::vector<float> added = fixed_order_rows<FixedOrderFew>(p, 5, 2, true, 3);
  for (std::size_t i = 0; i < added.size(); ++i) {
    EXPECT_EQ(added[i], 3 + expected[static_cast<std::size_t>(5 * p.out) + i]);
  }
}

// Numbers of a row that are no whole step, and an odd last feature.
TEST(TileKernels, MultiplyOddSizesInOneOrder) {
  ProductOperands p(5, 33, 24);
  const std::vector<float> got = fixed_order_rows<FixedOrderFew>(p, 0, 5, false);
  EXPECT_LT(attention_error(Doubles(got.begin(), got.end()), p.product), 1e-6);
  EXPECT_EQ(fixed_order_rows<FixedOrderMore>(p, 0, 5, false), got);
}

// The output of `c`, with splits in blocks of their own or not.
template <int D, int Warps>
Doubles attend_in_one_order(const PagedCase& c, PagedOperands& x, bool own_blocks) {
  FixedOrderAttention work{};
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
  work.most_queries = longest(c.queries);
  const int rows = 16 * Warps, pairs = work.most_queries * work.heads_per_kv;
  work.tiles = (pairs + rows - 1) / rows;
  work.scale_log2 = static_cast<float>(x.reference.scale()) * log2_of_e;
  work.splits = own_blocks ? (longest(c.contexts) + fixed_split_keys - 1) / fixed_split_keys : 1;
  const auto parts = static_cast<std::size_t>(x.q.rows * work.num_heads * work.splits);
  std::vector<float> partial(parts * D, NAN);
  std::vector<float2> totals(parts, float2{NAN, NAN});
  if (own_blocks) {
    work.partial = partial.data();
    work.totals = totals.data();
  }
  const auto sequences = static_cast<unsigned>(c.contexts.size());
  emulated::launch(
      dim3(sequences * static_cast<unsigned>(work.tiles),
           static_cast<unsigned>(c.heads.num_kv_heads), static_cast<unsigned>(work.splits)),
      32 * Warps, [=] { fixed_order_tile_kernel<D, Warps>(work); });
  if (own_blocks) {
    emulated::launch(dim3(sequences * static_cast<unsigned>(work.most_queries),
                          static_cast<unsigned>(work.num_heads)),
                     D, [=] { fixed_order_merge_kernel<D>(work); });
  }
  return x.out.get();
}

// The rows of the last `queries` tokens of each context by a call for them alone are those of a
// call for more: the kernel's choices change no bit.
template <int D>
void expect_one_order(const PagedCase& c, const Integers& fewer) {
  PagedOperands all(c);
  const Doubles expected = attend_in_one_order<D, 4>(c, all, false);
  all.expect(c, 10000, 3e-3);
  PagedCase last = c;
  last.queries = fewer;
  const auto expect_last = [&](const Doubles& got) {
    std::size_t at = 0;
    for (std::size_t s = 0; s < fewer.size(); ++s) {
      const auto count = static_cast<std::size_t>(fewer[s] * all.out.cols);
      const auto end = static_cast<std::size_t>(all.query_offsets[s + 1] * all.out.cols);
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(got[at + i], expected[end - count + i]);
      at += count;
    }
  };
  for (const bool own_blocks : {false, true}) {
    PagedOperands few(last);
    expect_last(attend_in_one_order<D, 1>(last, few, own_blocks));
  }
  EXPECT_EQ((attend_in_one_order<D, 4>(c, all, true)), expected);
}

TEST(TileKernels, AttendInOneOrder) {
  expect_one_order<64>({{2, 1, 64}, {300, 9, 70}, {60, 9, 2}, 16}, {5, 1, 0});
  expect_one_order<128>({{1, 1, 128}, {530}, {20}, 1}, {1});
}

}  // namespace
}  // namespace fathom::ops::cuda
