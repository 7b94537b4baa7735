#include "ops/attention.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/attention_reference.h"
#include "ops/guarded_matrix.h"

namespace fathom::ops {
namespace {

struct Case {
  HeadShape heads;
  std::vector<std::int32_t> lengths;
  double deviation = 1;  // of q and k
};

// The operation run on a device, its operands inside one fused matrix.
struct AttentionRun {
  Context context;
  Case shape;
  AttentionReference reference;
  Doubles dout;
  GuardedMatrix qkv, out, lse, dqkv, upstream;
  Buffer offsets;
  Segments segments;

  static AttentionReference make_reference(const Case& c, DType dtype) {
    AttentionReference r{c.heads, {0}, {}, {}, {}, {}, {}, {}, {}, {}};
    for (const auto length : c.lengths) r.offsets.push_back(r.offsets.back() + length);
    const std::int64_t n = r.rows(), d = c.heads.head_dim;
    r.q = normal_values(n * c.heads.num_heads * d, 1, dtype, c.deviation);
    r.k = normal_values(n * c.heads.num_kv_heads * d, 2, dtype, c.deviation);
    r.v = normal_values(n * c.heads.num_kv_heads * d, 3, dtype);
    r.forward();
    return r;
  }

  AttentionRun(Device device, DType dtype, const Case& c)
      : context(device, std::size_t{16} << 20),
        shape(c),
        reference(make_reference(c, dtype)),
        dout(normal_values(reference.q.size(), 4, dtype)),
        qkv(context, dtype, reference.rows(), fused_width()),
        out(context, dtype, reference.rows(), query_width()),
        lse(context, DType::f32, c.heads.num_heads, reference.rows()),
        dqkv(context, dtype, reference.rows(), fused_width()),
        upstream(context, dtype, reference.rows(), query_width()),
        offsets(device, reference.offsets.size() * 4) {
    qkv.set(reference.q, 0, query_width());
    qkv.set(reference.k, query_width(), key_width());
    qkv.set(reference.v, query_width() + key_width(), key_width());
    upstream.set(dout);
    copy_bytes(offsets.data(), device, reference.offsets.data(), cpu_device, offsets.bytes(),
               context.stream);
    segments.offsets = offsets.tensor(DType::i32, {std::int64_t(reference.offsets.size())});
    for (const auto length : c.lengths) {
      segments.max_length = std::max<std::int64_t>(segments.max_length, length);
    }
  }

  std::int64_t query_width() const { return shape.heads.num_heads * shape.heads.head_dim; }
  std::int64_t key_width() const { return shape.heads.num_kv_heads * shape.heads.head_dim; }
  std::int64_t fused_width() const { return query_width() + 2 * key_width(); }
  Tensor q_of(const GuardedMatrix& m) const { return m.view().columns(0, query_width()); }
  Tensor k_of(const GuardedMatrix& m) const { return m.view().columns(query_width(), key_width()); }
  Tensor v_of(const GuardedMatrix& m) const {
    return m.view().columns(query_width() + key_width(), key_width());
  }

  void forward() {
    attention(context, q_of(qkv), k_of(qkv), v_of(qkv), segments, shape.heads, out.view(),
              lse.view());
  }
  void backward() {
    attention_backward(context, upstream.view(), q_of(qkv), k_of(qkv), v_of(qkv), out.view(),
                       lse.view(), segments, shape.heads, q_of(dqkv), k_of(dqkv), v_of(dqkv));
  }
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list;
    for (const std::int32_t length : {1, 2, 17, 63, 64, 65, 130}) {
      list.push_back({{2, 2, 64}, {length}});
    }
    for (const std::int64_t head_dim : {8, 40, 80, 128}) list.push_back({{2, 2, head_dim}, {67}});
    list.push_back({{6, 2, 40}, {130}});  // groups of 3
    list.push_back({{8, 1, 64}, {70}});   // one key head
    list.push_back({{70, 1, 8}, {9}});    // a group of several tiles
    list.push_back({{4, 2, 64}, {0, 5, 0, 1, 66, 0, 0, 33, 0}});
    list.push_back({{2, 1, 64}, std::vector<std::int32_t>(50, 1)});
    list.push_back({{1, 1, 16}, {600}});  // several tiles of keys
    list.push_back({{6, 2, 16}, {530}});  // and the diagonal across their bounds
    return list;
  }();
  return all;
}

std::string name_of_case(const Case& c) {
  return fmt::format("{} over {} heads of {}, lengths {}", c.heads.num_heads, c.heads.num_kv_heads,
                     c.heads.head_dim, fmt::join(c.lengths, " "));
}

class Attention : public testing::TestWithParam<DType> {
 protected:
  bool f32() const { return GetParam() == DType::f32; }

  static void expect_gradients(AttentionRun& run, double bound) {
    run.reference.backward(run.dout);
    const std::int64_t width = run.query_width(), kv = run.key_width();
    EXPECT_LT(relative_error(run.dqkv.get(0, width), run.reference.dq), bound);
    EXPECT_LT(relative_error(run.dqkv.get(width, kv), run.reference.dk), bound);
    EXPECT_LT(relative_error(run.dqkv.get(width + kv, kv), run.reference.dv), bound);
    EXPECT_TRUE(run.dqkv.guards_intact());
  }
};

TEST_P(Attention, ForwardIsTheReference) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(name_of_case(c));
    AttentionRun run(cpu_device, GetParam(), c);
    run.forward();
    EXPECT_LT(relative_error(run.out.get(), run.reference.out), f32() ? 4e-7 : 1.8e-3);
    EXPECT_LT(relative_error(run.lse.get(), run.reference.lse), 3e-7);
    EXPECT_TRUE(run.out.guards_intact() && run.lse.guards_intact());
  }
}

TEST_P(Attention, BackwardIsTheReference) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(name_of_case(c));
    AttentionRun run(cpu_device, GetParam(), c);
    run.forward();
    run.backward();
    expect_gradients(run, f32() ? 3e-6 : 3.5e-3);
  }
}

// Scores of thousands: f32 keeps them to 1e-4, and exp must not overflow.
TEST_P(Attention, LargeScoresStayExact) {
  AttentionRun run(cpu_device, GetParam(), {{2, 2, 64}, {130}, 30});
  run.forward();
  run.backward();
  EXPECT_LT(relative_error(run.out.get(), run.reference.out), f32() ? 2e-5 : 1.8e-3);
  expect_gradients(run, f32() ? 2e-4 : 5e-3);
}

TEST_P(Attention, HasTheSameBitsForAnyNumberOfThreads) {
  Doubles expected;
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    AttentionRun run(cpu_device, GetParam(), {{6, 2, 40}, {130, 1, 0, 300, 64}});
    run.forward();
    run.backward();
    Doubles result = run.out.get();
    for (const Doubles& more : {run.lse.get(), run.dqkv.get()}) {
      result.insert(result.end(), more.begin(), more.end());
    }
    if (expected.empty()) expected = result;
    EXPECT_EQ(result, expected) << threads << " threads";
  }
  set_num_threads(2);
}

TEST_P(Attention, BackwardTakesFewerThreadsWhenTheWorkspaceIsSmall) {
  set_num_threads(6);
  AttentionRun run(cpu_device, GetParam(), {{6, 6, 40}, {300}});
  run.context.workspace = Arena(cpu_device, std::size_t{1} << 20);
  run.forward();
  EXPECT_NO_THROW(run.backward());
  expect_gradients(run, f32() ? 3e-6 : 3.5e-3);
  set_num_threads(2);
}

TEST_P(Attention, MetaComputesNothingAndNoRowsAreFine) {
  AttentionRun none(cpu_device, GetParam(), {{2, 1, 8}, {0, 0}});
  EXPECT_NO_THROW(none.forward());
  EXPECT_NO_THROW(none.backward());

  Context meta(meta_device);
  const auto tensor = [&](DType dtype, Shape shape) {
    return Tensor(nullptr, dtype, shape, meta_device);
  };
  const Tensor q = tensor(GetParam(), {4, 16}), k = tensor(GetParam(), {4, 8});
  const Segments segments{tensor(DType::i32, {2}), 4};
  EXPECT_NO_THROW(attention(meta, q, k, k, segments, {2, 1, 8}, q, tensor(DType::f32, {2, 4})));
}

INSTANTIATE_TEST_SUITE_P(Types, Attention, testing::Values(DType::f32, DType::bf16),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

// What the formulas of the reference's backward themselves are checked by.
TEST(AttentionReference, BackwardIsTheDerivativeOfForward) {
  AttentionReference r = AttentionRun::make_reference({{4, 2, 3}, {5, 0, 2}}, DType::f32);
  const Doubles dout = normal_values(r.q.size(), 9, DType::f32);
  r.backward(dout);
  const auto loss = [&] {
    r.forward();
    double sum = 0;
    for (std::size_t i = 0; i < dout.size(); ++i) sum += dout[i] * r.out[i];
    return sum;
  };
  const auto expect_derivative = [&](Doubles& x, const Doubles& gradient) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double at = x[i], step = 1e-5;
      x[i] = at + step;
      const double above = loss();
      x[i] = at - step;
      const double below = loss();
      x[i] = at;
      EXPECT_NEAR((above - below) / (2 * step), gradient[i], 1e-8);
    }
  };
  expect_derivative(r.q, r.dq);
  expect_derivative(r.k, r.dk);
  expect_derivative(r.v, r.dv);
}

class AttentionErrors : public testing::Test {
 protected:
  AttentionRun run{cpu_device, DType::f32, {{2, 1, 8}, {3, 2}}};

  template <class F>
  static void expect_error(F call, const std::string& message) {
    try {
      call();
      ADD_FAILURE() << "nothing was thrown; expected: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::runtime);
      EXPECT_THAT(error.what(), testing::HasSubstr(message));
    }
  }
};

TEST_F(AttentionErrors, NameTheArgumentAndWhatItShouldBe) {
  const auto with_heads = [&](HeadShape heads) {
    return [&, heads] {
      run.shape.heads = heads;
      attention(run.context, run.qkv.view().columns(0, 16), run.qkv.view().columns(16, 8),
                run.qkv.view().columns(24, 8), run.segments, heads, run.out.view(), run.lse.view());
    };
  };
  expect_error(with_heads({3, 2, 8}), "num_heads must be a multiple of num_kv_heads");
  expect_error(with_heads({2, 0, 8}), "must be positive");
  expect_error(with_heads({4, 1, 8}), "attention: q is f32[5, 16] on cpu");
  expect_error(with_heads({4, 1, 8}), "q must be [5, 32]");
  expect_error(with_heads({2, 2, 8}), "k must be [5, 16]");
  run.shape.heads = {2, 1, 8};
  run.lse = GuardedMatrix(run.context, DType::f32, 2, 4);
  expect_error([&] { run.forward(); }, "lse must be [2, 5]");
  expect_error([&] { run.backward(); }, "attention_backward: dout is");
}

TEST_F(AttentionErrors, RefuseSegmentsThatDoNotFitTheRows) {
  auto* offsets = static_cast<std::int32_t*>(run.offsets.data());
  run.segments.max_length = 2;
  expect_error([&] { run.forward(); }, "a segment is longer than max_length");
  run.segments.max_length = 9;
  offsets[1] = 6;
  expect_error([&] { run.forward(); }, "offsets must ascend");
  offsets[1] = 3;
  offsets[2] = 4;
  expect_error([&] { run.backward(); }, "offsets must go from 0 to the number of rows of q");
  run.segments.offsets.dtype = DType::f32;
  expect_error([&] { run.forward(); }, "offsets must be i32");
}

TEST_F(AttentionErrors, RefuseMixedTypesAndDevices) {
  run.out = GuardedMatrix(run.context, DType::bf16, 5, 16);
  expect_error([&] { run.forward(); }, "the types of q and out differ");
  Context meta(meta_device);
  expect_error(
      [&] {
        attention(meta, run.q_of(run.qkv), run.k_of(run.qkv), run.v_of(run.qkv), run.segments,
                  run.shape.heads, run.out.view(), run.lse.view());
      },
      "is not on meta, where the operation runs");
}

}  // namespace
}  // namespace fathom::ops
