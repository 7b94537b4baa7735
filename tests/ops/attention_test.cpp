#include "ops/attention.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/attention_run.h"
#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using Cases = std::vector<AttentionCase>;

const Cases& cases() {
  static const Cases all = [] {
    Cases list;
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

// Batches and documents as in training, in the widths that GPUs have kernels for.
const Cases& batches() {
  static const Cases all = [] {
    Cases list;
    for (const std::int64_t head_dim : {64, 128}) {
      list.push_back({{4, 4, head_dim}, {128, 128, 128}});
      list.push_back({{6, 2, head_dim}, {256, 256}});
      list.push_back({{2, 1, head_dim}, {512}});
      list.push_back({{2, 2, head_dim}, {65, 65, 65, 65, 65}});
      list.push_back({{2, 2, head_dim}, {200, 56, 0, 1, 255}});
      list.push_back({{6, 2, head_dim}, {0, 0, 300, 12, 129, 128, 1, 0}});
      list.push_back(
          {{4, 1, head_dim}, std::vector<std::int32_t>{7, 1, 1, 63, 2, 64, 9, 30, 0, 5}});
    }
    for (const std::int64_t head_dim : {32, 48, 72, 88, 104}) {  // which cuDNN takes too
      list.push_back({{2, 2, head_dim}, {128, 128}});
      list.push_back({{4, 2, head_dim}, {65, 65, 65}});
      list.push_back({{2, 1, head_dim}, {130, 6, 0, 1}});
    }
    return list;
  }();
  return all;
}

std::string name_of_case(const AttentionCase& c) {
  return fmt::format("{} over {} heads of {}, lengths {}", c.heads.num_heads, c.heads.num_kv_heads,
                     c.heads.head_dim, fmt::join(c.lengths, " "));
}

// Root-mean-square errors relative to the expected values. GPU kernels round the
// softmax to bf16 before its product with the values, and take fast exponentials.
struct Bounds {
  double out, lse, gradient;
};

class Attention : public test::OpsTest {
 protected:
  bool on_cpu() const { return device() == cpu_device; }
  Bounds bounds() const {
    if (on_cpu()) return is_f32() ? Bounds{4e-7, 3e-7, 3e-6} : Bounds{1.8e-3, 3e-7, 3.5e-3};
    return is_f32() ? Bounds{3e-6, 3e-6, 1e-5} : Bounds{5e-3, 1e-5, 1e-2};
  }

  // f(case, where its rows lie) for each; GPUs take other kernels for aligned rows.
  template <class F>
  void for_each_case(const Cases& list, F f) const {
    for (const AttentionCase& c : list) {
      SCOPED_TRACE(name_of_case(c));
      f(c, Rows::odd);
      if (on_cpu()) continue;
      SCOPED_TRACE("aligned rows");
      f(c, Rows::aligned);
    }
  }

  static void expect_forward(AttentionRun& run, const Bounds& bounds) {
    const AttentionReference& expected = run.expected_forward();
    EXPECT_LT(attention_error(run.out.get(), expected.out), bounds.out);
    EXPECT_LT(attention_error(run.log_sums(), expected.lse), bounds.lse);
    EXPECT_TRUE(run.out.guards_intact());
  }
  static void expect_gradients(AttentionRun& run, double bound) {
    const AttentionReference& expected = run.expected_backward();
    const std::int64_t width = run.query_width(), kv = run.key_width();
    EXPECT_LT(attention_error(run.dqkv.get(0, width), expected.dq), bound);
    EXPECT_LT(attention_error(run.dqkv.get(width, kv), expected.dk), bound);
    EXPECT_LT(attention_error(run.dqkv.get(width + kv, kv), expected.dv), bound);
    EXPECT_TRUE(run.dqkv.guards_intact());
  }
  static Doubles results_of(const AttentionRun& run) {
    Doubles all = run.out.get();
    for (const Doubles& more : {run.log_sums(), run.dqkv.get()}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }
};

TEST_P(Attention, ForwardIsTheReference) {
  for (const Cases* list : {&cases(), &batches()}) {
    for_each_case(*list, [&](const AttentionCase& c, Rows place) {
      AttentionRun run(device(), dtype(), c, place);
      run.forward();
      expect_forward(run, bounds());
    });
  }
}

TEST_P(Attention, BackwardIsTheReference) {
  for (const Cases* list : {&cases(), &batches()}) {
    for_each_case(*list, [&](const AttentionCase& c, Rows place) {
      AttentionRun run(device(), dtype(), c, place);
      run.forward();
      run.backward();
      expect_gradients(run, bounds().gradient);
    });
  }
}

// Scores of thousands: f32 keeps them to 1e-4, and exp must not overflow.
TEST_P(Attention, LargeScoresStayExact) {
  for_each_case({{{2, 2, 64}, {130}, 30}}, [&](const AttentionCase& c, Rows place) {
    AttentionRun run(device(), dtype(), c, place);
    run.forward();
    run.backward();
    if (on_cpu()) {
      EXPECT_LT(attention_error(run.out.get(), run.expected_forward().out), is_f32() ? 2e-5 : 1.8e-3);
      expect_gradients(run, is_f32() ? 2e-4 : 5e-3);
    } else {
      EXPECT_LT(attention_error(run.out.get(), run.expected_forward().out), is_f32() ? 1e-4 : 5e-3);
      expect_gradients(run, is_f32() ? 1e-3 : 2e-2);
    }
  });
}

TEST_P(Attention, ReproducibleGivesTheSameBitsAndTheReference) {
  const Cases list{{{4, 2, 128}, {512, 512}}, {{4, 4, 64}, {300, 0, 212, 512}},
                   {{2, 2, 80}, {256, 256}}};
  for_each_case(list, [&](const AttentionCase& c, Rows place) {
    Doubles first;
    for (int i = 0; i < 3; ++i) {
      AttentionRun run(device(), dtype(), c, place);
      run.context.determinism = Determinism::reproducible;
      run.forward();
      run.backward();
      if (first.empty()) {
        expect_gradients(run, bounds().gradient);
        first = results_of(run);
      }
      EXPECT_EQ(results_of(run), first);
    }
  });
}

TEST_P(Attention, HasTheSameBitsForAnyNumberOfThreads) {
  if (!on_cpu()) GTEST_SKIP() << "threads compute on the CPU only";
  Doubles expected;
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    AttentionRun run(cpu_device, dtype(), {{6, 2, 40}, {130, 1, 0, 300, 64}});
    run.forward();
    run.backward();
    if (expected.empty()) expected = results_of(run);
    EXPECT_EQ(results_of(run), expected) << threads << " threads";
  }
  set_num_threads(2);
}

TEST_P(Attention, BackwardTakesFewerThreadsWhenTheWorkspaceIsSmall) {
  if (!on_cpu()) GTEST_SKIP() << "threads compute on the CPU only";
  set_num_threads(6);
  AttentionRun run(cpu_device, dtype(), {{6, 6, 40}, {300}});
  run.context.workspace = Arena(cpu_device, std::size_t{1} << 20);
  run.forward();
  EXPECT_NO_THROW(run.backward());
  expect_gradients(run, bounds().gradient);
  set_num_threads(2);
}

TEST_P(Attention, MetaComputesNothingAndNoRowsAreFine) {
  AttentionRun none(device(), dtype(), {{2, 1, 8}, {0, 0}});
  EXPECT_NO_THROW(none.forward());
  EXPECT_NO_THROW(none.backward());

  Context meta(meta_device);
  const auto tensor = [&](DType type, Shape shape) {
    return Tensor(nullptr, type, shape, meta_device);
  };
  const Tensor q = tensor(dtype(), {4, 16}), k = tensor(dtype(), {4, 8});
  const Segments segments{tensor(DType::i32, {2}), 4};
  EXPECT_NO_THROW(attention(meta, q, k, k, segments, {2, 1, 8}, q, tensor(DType::f32, {2, 4})));
}

// What a run plans by; of nothing, and more for more.
TEST_P(Attention, WorkspaceFollowsFromTheShapes) {
  const auto bytes = [&](std::int64_t tokens, std::int64_t length, bool uniform,
                         Determinism determinism) {
    return attention_workspace(device(), dtype(), {6, 2, 128}, {tokens, length, uniform},
                               determinism);
  };
  for (const auto determinism : {Determinism::fastest, Determinism::reproducible}) {
    for (const bool uniform : {true, false}) {
      EXPECT_NO_THROW(bytes(0, 0, uniform, determinism));
      EXPECT_LE(bytes(512, 512, uniform, determinism), bytes(4096, 512, uniform, determinism));
    }
  }
  EXPECT_GT(bytes(4096, 512, true, Determinism::fastest), 0u);
}

TEST(AttentionWorkspace, OfACpuHoldsTheSumsOfALongSegment) {
  const auto bytes = [](DType dtype, std::int64_t length) {
    return attention_workspace(cpu_device, dtype, {8, 8, 128}, {length, length, true},
                               Determinism::fastest);
  };
  const std::size_t sums = std::size_t{2} * 65000 * 128 * sizeof(float);
  EXPECT_GT(bytes(DType::bf16, 65000), sums);
  EXPECT_LT(bytes(DType::bf16, 65000), sums + (1 << 20));
  EXPECT_LT(bytes(DType::f32, 65000), std::size_t{1} << 20);  // summed where they lie
  EXPECT_EQ(attention_workspace(meta_device, DType::bf16, {8, 8, 128}, {64, 64, true},
                                Determinism::fastest),
            0u);
}

// So many threads, for the time of the scope.
class Threads {
 public:
  explicit Threads(int threads) : before_(num_threads()) { set_num_threads(threads); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// Gradients and outputs, computed in so many bytes of workspace on so many threads.
std::vector<Doubles> results_of(const AttentionCase& c, std::size_t workspace, int threads) {
  const Threads scope(threads);
  AttentionRun run(cpu_device, DType::bf16, c);
  run.context = Context(cpu_device, workspace);
  run.forward();
  run.backward();
  return {run.out.get(), run.log_sums(), run.dqkv.get()};
}

TEST(AttentionWorkspace, OfACpuIsEnoughForAnyNumberOfThreads) {
  const AttentionCase many{{8, 8, 128}, std::vector<std::int32_t>(40, 2)};
  const auto expected = results_of(many, Context::default_workspace, 1);
  EXPECT_EQ(results_of(many, Context::default_workspace, 300), expected);

  const AttentionCase longer{{4, 2, 64}, {700, 3, 100}};
  const std::size_t least = attention_workspace(cpu_device, DType::bf16, longer.heads,
                                                {803, 700, false}, Determinism::fastest);
  const auto alone = results_of(longer, Context::default_workspace, 1);
  EXPECT_EQ(results_of(longer, least, 3), alone);
  EXPECT_EQ(results_of(longer, 2 * least, 300), alone);
}

TEST(AttentionWorkspace, ThatIsTooSmallIsTold) {
  const AttentionCase c{{2, 1, 64}, {600}};
  const std::size_t least =
      attention_workspace(cpu_device, DType::bf16, c.heads, {600, 600, true}, Determinism::fastest);
  try {
    results_of(c, least - 1, 4);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::runtime);
    EXPECT_EQ(std::string(error.what()),
              fmt::format("attention needs {} bytes of workspace for a thread, and {} are left: "
                          "the Context was made for less",
                          least, least - 1));
  }
}

INSTANTIATE_ON_DEVICES(Attention);

TEST(Segments, AreUniformWhenAllAreOfOneLength) {
  const auto describe = [](std::vector<std::int32_t> offsets) {
    return describe_segments(Tensor(offsets.data(), DType::i32, {std::ssize(offsets)}), offsets);
  };
  EXPECT_EQ(describe({0, 7}).uniform_length, 7);
  EXPECT_EQ(describe({0, 3, 6, 9}).uniform_length, 3);
  EXPECT_EQ(describe({0, 3, 6, 8}).uniform_length, 0);
  EXPECT_EQ(describe({0, 3, 6, 8}).max_length, 3);
  EXPECT_EQ(describe({0, 3, 3, 6}).uniform_length, 0);  // an empty one
  EXPECT_EQ(describe({0, 0, 0}).uniform_length, 0);
  EXPECT_EQ(describe({0}).uniform_length, 0);
}

// What the formulas of the reference's backward themselves are checked by.
TEST(AttentionReference, BackwardIsTheDerivativeOfForward) {
  AttentionReference r = AttentionRun::make_reference({{4, 2, 3}, {5, 0, 2}}, DType::f32);
  r.forward();
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
                run.qkv.view().columns(24, 8), run.segments, heads, run.out.view(), run.lse);
    };
  };
  expect_error(with_heads({3, 2, 8}), "num_heads must be a multiple of num_kv_heads");
  expect_error(with_heads({2, 0, 8}), "must be positive");
  expect_error(with_heads({4, 1, 8}), "attention: q is f32[5, 16] on cpu");
  expect_error(with_heads({4, 1, 8}), "q must be [5, 32]");
  expect_error(with_heads({2, 2, 8}), "k must be [5, 16]");
  run.shape.heads = {2, 1, 8};
  const auto with_lse = [&](Tensor lse) {
    return [&, lse] {
      attention(run.context, run.q_of(run.qkv), run.k_of(run.qkv), run.v_of(run.qkv), run.segments,
                run.shape.heads, run.out.view(), lse);
    };
  };
  const GuardedMatrix narrow(run.context, DType::f32, 2, 4), apart(run.context, DType::f32, 2, 5);
  expect_error(with_lse(narrow.view()), "lse must be [2, 5]");
  expect_error(with_lse(apart.view()), "lse must be contiguous");
  run.upstream = GuardedMatrix(run.context, DType::f32, 5, 8);
  expect_error([&] { run.backward(); }, "attention_backward: dout is f32[5, 8]");
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
  offsets[2] = 5;
  run.segments.uniform_length = 3;
  expect_error([&] { run.forward(); }, "uniform_length times the number of segments must be");
  run.segments.uniform_length = 0;
  offsets[0] = 1;
  expect_error([&] { run.forward(); }, "offsets must go from 0 to the number of rows of q");
  offsets[0] = 0;
  run.segments.offsets.dtype = DType::f32;
  expect_error([&] { run.forward(); }, "offsets must be i32");
}

TEST_F(AttentionErrors, RefuseASegmentThatIsNotOfTheUniformLength) {
  AttentionRun unequal{cpu_device, DType::f32, {{2, 1, 8}, {3, 1}}};
  unequal.segments.uniform_length = 2;
  expect_error([&] { unequal.forward(); }, "a segment is not uniform_length long");
}

TEST_F(AttentionErrors, RefuseMixedTypesAndDevices) {
  run.out = GuardedMatrix(run.context, DType::bf16, 5, 16);
  expect_error([&] { run.forward(); }, "the types of q and out differ");
  Context meta(meta_device);
  expect_error(
      [&] {
        attention(meta, run.q_of(run.qkv), run.k_of(run.qkv), run.v_of(run.qkv), run.segments,
                  run.shape.heads, run.out.view(), run.lse);
      },
      "is not on meta, where the operation runs");
}

}  // namespace
}  // namespace fathom::ops
