#include "ops/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/attention_reference.h"
#include "ops/guarded_matrix.h"

namespace fathom::ops {
namespace {

Doubles normal_values(std::int64_t count, unsigned seed, DType dtype, double deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, deviation);
  Doubles values(count);
  for (double& value : values) {
    const float x = static_cast<float>(normal(random));
    value = dtype == DType::f32 ? x : static_cast<float>(bfloat16(x));
  }
  return values;
}

// Root mean square of the difference over that of the expected values.
double relative_error(const Doubles& actual, const Doubles& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(actual[i] - expected[i], 2);
    size += std::pow(expected[i], 2);
  }
  const double count = static_cast<double>(expected.size());
  return std::sqrt(difference / count) / std::max(std::sqrt(size / count), 0.1);
}

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
      : context(device),
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
    list.push_back({{1, 1, 16}, {600}});      // several tiles of keys
    list.push_back({{6, 2, 16}, {530}});      // and the diagonal across their bounds
    return list;
  }();
  return all;
}

class Attention : public testing::TestWithParam<DType> {};

TEST_P(Attention, ForwardIsTheReference) {
  for (const Case& c : cases()) {
    AttentionRun run(cpu_device, GetParam(), c);
    run.forward();
    const bool f32 = GetParam() == DType::f32;
    SCOPED_TRACE(testing::Message()
                 << c.heads.num_heads << "/" << c.heads.num_kv_heads << " heads of "
                 << c.heads.head_dim << ", " << run.reference.rows() << " rows");
    const double error = relative_error(run.out.get(), run.reference.out);
    EXPECT_LT(error, f32 ? 1e-6 : 2e-3);
    EXPECT_LT(relative_error(run.lse.get(), run.reference.lse), 1e-6);
    EXPECT_TRUE(run.out.guards_intact() && run.lse.guards_intact());
  }
}

TEST_P(Attention, BackwardIsTheReference) {
  for (const Case& c : cases()) {
    AttentionRun run(cpu_device, GetParam(), c);
    run.forward();
    run.backward();
    const bool f32 = GetParam() == DType::f32;
    SCOPED_TRACE(testing::Message()
                 << c.heads.num_heads << "/" << c.heads.num_kv_heads << " heads of "
                 << c.heads.head_dim << ", " << run.reference.rows() << " rows");
    run.reference.backward(run.dout);
    const std::int64_t width = run.query_width(), key_width = run.key_width();
    const double bound = f32 ? 2e-6 : 4e-3;
    EXPECT_LT(relative_error(run.dqkv.get(0, width), run.reference.dq), bound);
    EXPECT_LT(relative_error(run.dqkv.get(width, key_width), run.reference.dk), bound);
    EXPECT_LT(relative_error(run.dqkv.get(width + key_width, key_width), run.reference.dv), bound);
    EXPECT_TRUE(run.dqkv.guards_intact());
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Attention, testing::Values(DType::f32, DType::bf16),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

}  // namespace
}  // namespace fathom::ops
