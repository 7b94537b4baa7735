#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/attention.h"
#include "ops/attention_reference.h"
#include "ops/guarded_matrix.h"

namespace fathom::ops {
namespace {

struct Case {
  HeadShape heads;
  std::int64_t page_size;
  std::vector<std::int32_t> contexts, queries;  // tokens, and new ones among them
};

Tensor integers(std::vector<std::int32_t>& values, Shape shape) {
  return Tensor(values.data(), DType::i32, shape);
}

// Sequences in shuffled pages, and what attention to them is.
struct PagedPlan {
  Case shape;
  AttentionReference reference;
  std::int64_t max_pages = 0, num_pages = 0, rows = 0;
  std::vector<std::int32_t> query_offsets{0}, block_table, slots;
  PagedContext paged;

  PagedPlan(DType dtype, const Case& c)
      : shape(c), reference{c.heads, {0}, {}, {}, {}, {}, {}, {}, {}, {}} {
    const std::int64_t size = shape.page_size;
    for (std::size_t s = 0; s < shape.contexts.size(); ++s) {
      const std::int64_t length = shape.contexts[s];
      reference.offsets.push_back(static_cast<std::int32_t>(reference.offsets.back() + length));
      rows += shape.queries[s];
      query_offsets.push_back(static_cast<std::int32_t>(rows));
      max_pages = std::max(max_pages, (length + size - 1) / size);
      paged.max_queries = std::max<std::int64_t>(paged.max_queries, shape.queries[s]);
      paged.max_context = std::max(paged.max_context, length);
    }
    num_pages = max_pages * static_cast<std::int64_t>(shape.contexts.size()) + 1;
    block_table.resize(num_pages - 1);
    std::iota(block_table.begin(), block_table.end(), 1);
    std::shuffle(block_table.begin(), block_table.end(), std::mt19937(5));
    for (std::size_t s = 0; s < shape.contexts.size(); ++s) {
      for (std::int64_t t = 0; t < shape.contexts[s]; ++t) {
        const std::int64_t page = block_table[s * max_pages + t / size];
        slots.push_back(static_cast<std::int32_t>(page * size + t % size));
      }
    }
    reference.q = normal_values(reference.rows() * width(), 1, dtype);
    reference.k = normal_values(reference.rows() * kv_width(), 2, dtype);
    reference.v = normal_values(reference.rows() * kv_width(), 3, dtype);
    reference.queries = shape.queries;
    reference.forward();
  }

  std::int64_t width() const { return shape.heads.num_heads * shape.heads.head_dim; }
  std::int64_t kv_width() const { return shape.heads.num_kv_heads * shape.heads.head_dim; }
};

// Their keys and values stored by store_kv; their last tokens are the queries.
struct PagedRun : PagedPlan {
  Context context{cpu_device, std::size_t{16} << 20};
  GuardedMatrix q, k, v, k_memory, v_memory, out;

  PagedRun(DType dtype, const Case& c)
      : PagedPlan(dtype, c),
        q(context, dtype, rows, width()),
        k(context, dtype, reference.rows(), kv_width()),
        v(context, dtype, reference.rows(), kv_width()),
        k_memory(context, dtype, num_pages * c.page_size, kv_width()),
        v_memory(context, dtype, num_pages * c.page_size, kv_width()),
        out(context, dtype, rows, width()) {
    q.set(queries_of(reference.q));
    k.set(reference.k);
    v.set(reference.v);
    store_kv(context, k.view(), v.view(), integers(slots, {std::int64_t(slots.size())}), k_cache(),
             v_cache());
    paged.query_offsets = integers(query_offsets, {std::int64_t(query_offsets.size())});
    paged.context_lengths = integers(shape.contexts, {std::int64_t(shape.contexts.size())});
    paged.block_table = integers(block_table, {std::int64_t(shape.contexts.size()), max_pages});
  }

  Tensor k_cache() const { return cache(k_memory); }
  Tensor v_cache() const { return cache(v_memory); }
  Tensor cache(const GuardedMatrix& memory) const {
    return memory.view().view({num_pages, shape.page_size, kv_width()});
  }

  // Of a matrix with a row a token: those of the queries.
  Doubles queries_of(const Doubles& all) const {
    Doubles some;
    for (std::size_t s = 0; s < shape.contexts.size(); ++s) {
      const auto end = all.begin() + reference.offsets[s + 1] * width();
      some.insert(some.end(), end - shape.queries[s] * width(), end);
    }
    return some;
  }

  void attend() {
    paged_attention(context, q.view(), k_cache(), v_cache(), paged, shape.heads, out.view());
  }
};

class PagedAttention : public testing::TestWithParam<DType> {};

TEST_P(PagedAttention, IsAttentionOfTheLastTokens) {
  for (const std::int64_t page_size : {1, 16}) {
    for (const HeadShape& heads : {HeadShape{2, 2, 64}, {6, 2, 40}, {8, 1, 128}, {70, 1, 8}}) {
      for (const Case& c : {
               Case{heads, page_size, {1, 15, 16, 17, 300}, {1, 1, 1, 1, 1}},  // generation
               Case{heads, page_size, {1, 33, 70, 259}, {1, 33, 70, 20}},      // prompts
               Case{heads, page_size, {40, 0, 300, 64, 9}, {1, 0, 70, 2, 0}},  // mixed
               Case{heads, page_size, {1030}, {1}},                            // one context, split
               Case{heads, page_size, {1030, 5}, {3, 2}},
           }) {
        SCOPED_TRACE(testing::Message() << heads.num_heads << " over " << heads.num_kv_heads
                                        << " heads of " << heads.head_dim << ", pages of "
                                        << page_size << ", contexts to " << c.contexts[0]);
        PagedRun run(GetParam(), c);
        run.attend();
        const Doubles expected = run.queries_of(run.reference.out);
        EXPECT_LT(relative_error(run.out.get(), expected),
                  GetParam() == DType::f32 ? 5e-7 : 1.9e-3);
        EXPECT_TRUE(run.out.guards_intact());
        EXPECT_TRUE(run.k_memory.guards_intact() && run.v_memory.guards_intact());
      }
    }
  }
}

TEST_P(PagedAttention, HasTheSameBitsForAnyNumberOfThreads) {
  for (const std::int32_t queries : {1, 40}) {
    Doubles expected;
    for (const int threads : {1, 2, 5}) {
      set_num_threads(threads);
      PagedRun run(GetParam(), {{4, 2, 64}, 16, {700, 41}, {queries, queries}});
      run.attend();
      if (expected.empty()) expected = run.out.get();
      EXPECT_EQ(run.out.get(), expected) << threads << " threads";
    }
  }
  set_num_threads(2);
}

TEST_P(PagedAttention, StoreSkipsMinusOneAndTouchesNothingElse) {
  Context context(cpu_device);
  GuardedMatrix k(context, GetParam(), 3, 8), v(context, GetParam(), 3, 8);
  GuardedMatrix k_memory(context, GetParam(), 6, 8), v_memory(context, GetParam(), 6, 8);
  const Doubles k_values = normal_values(24, 1, GetParam()),
                v_values = normal_values(24, 2, GetParam());
  k.set(k_values);
  v.set(v_values);
  std::vector<std::int32_t> slots{5, -1, 0};
  store_kv(context, k.view(), v.view(), integers(slots, {3}), k_memory.view().view({3, 2, 8}),
           v_memory.view().view({3, 2, 8}));
  const Doubles k_stored = k_memory.get(), v_stored = v_memory.get();
  for (int i = 0; i < 48; ++i) {
    const int from = i / 8 == 5 ? 0 : i / 8 == 0 ? 2 : -1;
    if (from < 0) {
      EXPECT_TRUE(std::isnan(k_stored[i]) && std::isnan(v_stored[i]));
    } else {
      EXPECT_EQ(k_stored[i], k_values[from * 8 + i % 8]);
      EXPECT_EQ(v_stored[i], v_values[from * 8 + i % 8]);
    }
  }
  EXPECT_TRUE(k_memory.guards_intact() && v_memory.guards_intact());
}

INSTANTIATE_TEST_SUITE_P(Types, PagedAttention, testing::Values(DType::f32, DType::bf16),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

class PagedAttentionErrors : public testing::Test {
 protected:
  PagedRun run{DType::f32, {{2, 1, 8}, 4, {9, 3}, {2, 3}}};

  void expect_error(const std::string& message) {
    try {
      run.attend();
      ADD_FAILURE() << "nothing was thrown; expected: " << message;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(message));
    }
  }
};

TEST_F(PagedAttentionErrors, RefuseNumbersThatDoNotFitTheCache) {
  const std::int32_t page = run.block_table[1];
  run.block_table[1] = static_cast<std::int32_t>(run.num_pages);
  expect_error("block_table names a page outside the cache");
  run.block_table[1] = page;
  run.shape.contexts[0] = 1;
  expect_error("a sequence has more queries than its context has tokens");
  run.shape.contexts[0] = 13;
  expect_error("a context is longer than max_context");
  run.paged.max_context = 13;
  expect_error("a context is longer than its row of block_table");
  run.shape.contexts[0] = 9;
  run.paged.max_queries = 2;
  expect_error("a sequence has more than max_queries queries");
  run.query_offsets[1] = 6;
  run.paged.max_queries = 9;
  expect_error("query_offsets must ascend");
  run.query_offsets[2] = 4;
  expect_error("query_offsets must go from 0 to the number of rows of q");
}

TEST_F(PagedAttentionErrors, RefuseShapesThatDoNotFit) {
  const auto with_heads = [&](HeadShape heads) {
    return [&, heads] {
      paged_attention(run.context, run.q.view(), run.k_cache(), run.v_cache(), run.paged, heads,
                      run.out.view());
    };
  };
  EXPECT_THAT(with_heads({2, 2, 8}), testing::ThrowsMessage<Error>(testing::AllOf(
                                         testing::HasSubstr("paged_attention: q is f32[5, 16]"),
                                         testing::HasSubstr("k_cache must be [7, 4, 16]"))));
  EXPECT_THAT(with_heads({3, 1, 8}),
              testing::ThrowsMessage<Error>(testing::HasSubstr("q must be [5, 24]")));
  run.paged.block_table = run.paged.block_table.slice(0, 1);
  expect_error("block_table must be [2, 3]");
}

TEST_F(PagedAttentionErrors, StoreRefusesASlotOutsideTheCache) {
  for (const std::int32_t slot : {-2, 28}) {
    run.slots[3] = slot;
    EXPECT_THAT(
        [&] {
          store_kv(run.context, run.k.view(), run.v.view(), integers(run.slots, {12}),
                   run.k_cache(), run.v_cache());
        },
        testing::ThrowsMessage<Error>(testing::HasSubstr("a slot lies outside the cache")));
  }
}

}  // namespace
}  // namespace fathom::ops
