#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/attention.h"
#include "ops/attention_reference.h"
#include "ops/guarded_matrix.h"
#include "ops/ops_test.h"

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
  }

  std::int64_t width() const { return shape.heads.num_heads * shape.heads.head_dim; }
  std::int64_t kv_width() const { return shape.heads.num_kv_heads * shape.heads.head_dim; }
};

// Their keys and values stored by store_kv; their last tokens are the queries.
struct PagedRun : PagedPlan {
  Context context;
  GuardedMatrix q, k, v, k_memory, v_memory, out;
  Buffer integers_on_device;

  PagedRun(Device device, DType dtype, const Case& c, Rows place = Rows::odd)
      : PagedPlan(dtype, c),
        context(device),
        q(context, dtype, rows, width(), place),
        k(context, dtype, reference.rows(), kv_width(), place),
        v(context, dtype, reference.rows(), kv_width(), place),
        k_memory(context, dtype, num_pages * c.page_size, kv_width(), place),
        v_memory(context, dtype, num_pages * c.page_size, kv_width(), place),
        out(context, dtype, rows, width(), place) {
    q.set(queries_of(reference.q));
    k.set(reference.k);
    v.set(reference.v);
    const auto sequences = std::ssize(shape.contexts);
    Tensor slots_here = integers(slots, {std::ssize(slots)});
    paged.query_offsets = integers(query_offsets, {sequences + 1});
    paged.context_lengths = integers(shape.contexts, {sequences});
    paged.block_table = integers(block_table, {sequences, max_pages});
    if (device != cpu_device) {
      move({&slots_here, &paged.query_offsets, &paged.context_lengths, &paged.block_table});
    }
    store_kv(context, k.view(), v.view(), slots_here, k_cache(), v_cache());
  }

  // To the device.
  void move(std::initializer_list<Tensor*> tensors) {
    std::size_t bytes = 0;
    for (const Tensor* tensor : tensors) bytes += tensor->bytes();
    integers_on_device = Buffer(context.device, bytes);
    bytes = 0;
    for (Tensor* tensor : tensors) {
      const Tensor there = integers_on_device.tensor(DType::i32, tensor->shape, bytes);
      copy_bytes(there.data, there.device, tensor->data, cpu_device, tensor->bytes(),
                 context.stream);
      bytes += tensor->bytes();
      *tensor = there;
    }
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

class PagedAttention : public test::OpsTest {
 protected:
  bool on_cpu() const { return device() == cpu_device; }
  double bound() const {
    if (on_cpu()) return is_f32() ? 5e-7 : 1.9e-3;
    return is_f32() ? 3e-6 : 5e-3;
  }
  void expect_reference(const Case& c, Rows place,
                        BatchInvariance invariance = BatchInvariance::off) const {
    SCOPED_TRACE(place == Rows::odd ? "odd rows" : "aligned rows");
    PagedRun run(device(), dtype(), c, place);
    run.context.batch_invariance = invariance;
    run.attend();
    run.reference.forward();
    EXPECT_LT(attention_error(run.out.get(), run.queries_of(run.reference.out)), bound());
    EXPECT_TRUE(run.out.guards_intact());
    EXPECT_TRUE(run.k_memory.guards_intact() && run.v_memory.guards_intact());
  }
};

TEST_P(PagedAttention, IsAttentionOfTheLastTokens) {
  for (const std::int64_t page_size : {1, 16}) {
    for (const HeadShape& heads : {HeadShape{2, 2, 64}, {6, 2, 40}, {8, 1, 128}, {70, 1, 8}}) {
      for (const Case& c : {
               Case{heads, page_size, {1, 15, 16, 17, 300}, {1, 1, 1, 1, 1}},  // generation
               Case{heads, page_size, {1, 33, 70, 259}, {1, 33, 70, 20}},      // prompts
               Case{heads, page_size, {40, 0, 300, 64, 9}, {1, 0, 70, 2, 0}},  // mixed
               Case{heads, page_size, {1030}, {1}},                            // one context, split
               Case{heads, page_size, {1030, 5}, {3, 2}},
               Case{heads, page_size, {300, 200, 0, 640, 5}, {130, 4, 0, 1, 5}},
           }) {
        SCOPED_TRACE(testing::Message() << heads.num_heads << " over " << heads.num_kv_heads
                                        << " heads of " << heads.head_dim << ", pages of "
                                        << page_size << ", contexts to " << c.contexts[0]);
        expect_reference(c, Rows::odd);
        if (!on_cpu()) expect_reference(c, Rows::aligned);
      }
    }
  }
}

// With BatchInvariance::on: the last tokens of each context as queries, once many of them in one
// call and once few, or one, in a call of other sequences too.
TEST_P(PagedAttention, ARowNeverDependsOnTheOthersWhereThatIsAsked) {
  const std::vector<std::int32_t> contexts{1100, 40, 600, 17}, many{90, 40, 70, 3};
  for (const HeadShape& heads : {HeadShape{4, 2, 64}, {1, 1, 128}, {20, 1, 8}}) {
    for (const Rows place : {Rows::odd, Rows::aligned}) {
      SCOPED_TRACE(testing::Message() << heads.num_heads << " heads of " << heads.head_dim);
      const auto output_of = [&](const std::vector<std::int32_t>& queries) {
        PagedRun run(device(), dtype(), {heads, 16, contexts, queries}, place);
        run.context.batch_invariance = BatchInvariance::on;
        run.attend();
        return run.out.get();
      };
      expect_reference({heads, 16, contexts, many}, place, BatchInvariance::on);
      const Doubles all = output_of(many);
      const auto width = heads.num_heads * heads.head_dim;
      for (const std::vector<std::int32_t>& queries :
           {std::vector<std::int32_t>{1, 1, 1, 1}, {1, 0, 0, 0}, {5, 2, 0, 3}, {64, 7, 65, 1}}) {
        const Doubles got = output_of(queries);
        auto at = got.begin();
        auto end = all.begin();
        for (std::size_t s = 0; s < queries.size(); ++s) {
          end += many[s] * width;
          const auto count = queries[s] * width;
          EXPECT_TRUE(std::equal(at, at + count, end - count))
              << queries[s] << " of " << contexts[s];
          at += count;
        }
      }
    }
  }
}

// Where BatchInvariance::on always reads the cache. A short prompt is answered before oneDNN would
// have made its kernels.
TEST_P(PagedAttention, ReadsTheCacheInPlaceForAShortPrompt) {
  if (!on_cpu()) GTEST_SKIP() << "oneDNN computes on the CPU only";
  const auto output_of = [&](std::int32_t tokens, BatchInvariance invariance) {
    PagedRun run(device(), dtype(), {{6, 2, 40}, 16, {tokens, 12}, {tokens, 12}});
    run.context.batch_invariance = invariance;
    run.attend();
    return run.out.get();
  };
  for (const std::int32_t tokens : {20, 64}) {
    EXPECT_EQ(output_of(tokens, BatchInvariance::off), output_of(tokens, BatchInvariance::on));
  }
  EXPECT_NE(output_of(200, BatchInvariance::off), output_of(200, BatchInvariance::on));
}

TEST_P(PagedAttention, HasTheSameBitsForAnyNumberOfThreads) {
  if (!on_cpu()) GTEST_SKIP() << "threads compute on the CPU only";
  for (const std::int32_t queries : {1, 40}) {
    Doubles expected;
    for (const int threads : {1, 2, 5}) {
      set_num_threads(threads);
      PagedRun run(cpu_device, dtype(), {{4, 2, 64}, 16, {700, 41}, {queries, queries}});
      run.attend();
      if (expected.empty()) expected = run.out.get();
      EXPECT_EQ(run.out.get(), expected) << threads << " threads";
    }
  }
  set_num_threads(2);
}

// Of scratch a thread takes up to 257 KiB here.
TEST_P(PagedAttention, UsesAsManyThreadsAsTheWorkspaceHasRoomFor) {
  if (!on_cpu()) GTEST_SKIP() << "threads compute on the CPU only";
  const Case many{{8, 8, 128}, 16, std::vector<std::int32_t>(40, 2), std::vector(40, 1)};
  const Case split{{4, 2, 64}, 16, {700, 41}, {1, 1}};
  for (const auto& [c, workspace] :
       {std::pair(many, Context::default_workspace), std::pair(split, std::size_t{1} << 20)}) {
    std::vector<Doubles> outputs;
    for (const int threads : {1, 300}) {
      set_num_threads(threads);
      PagedRun run(cpu_device, dtype(), c);
      run.context = Context(cpu_device, workspace);
      run.attend();
      outputs.push_back(run.out.get());
    }
    EXPECT_EQ(outputs[0], outputs[1]);
  }
  set_num_threads(2);
}

TEST_P(PagedAttention, StoreSkipsMinusOneAndTouchesNothingElse) {
  const Context& context = context_;
  GuardedMatrix k(context, dtype(), 3, 8), v(context, dtype(), 3, 8);
  GuardedMatrix k_memory(context, dtype(), 6, 8), v_memory(context, dtype(), 6, 8);
  const Doubles k_values = normal_values(24, 1, dtype()), v_values = normal_values(24, 2, dtype());
  k.set(k_values);
  v.set(v_values);
  const test::DeviceTensor slots(context_, DType::i32, {3}, {5, -1, 0});
  store_kv(context_, k.view(), v.view(), slots, k_memory.view().view({3, 2, 8}),
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

INSTANTIATE_ON_DEVICES(PagedAttention);

class PagedAttentionErrors : public testing::Test {
 protected:
  PagedRun run{cpu_device, DType::f32, {{2, 1, 8}, 4, {9, 3}, {2, 3}}};

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
  run.block_table[1] = -1;
  expect_error("block_table names a page outside the cache");
  run.block_table[1] = 0;
  EXPECT_NO_THROW(run.attend());
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
  run.query_offsets = {1, 2, 5};
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
