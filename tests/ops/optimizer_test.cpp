#include "ops/optimizer.h"

#include <bit>
#include <limits>
#include <memory>
#include <span>

#include "core/parallel.h"
#include "ops/adamw_table.h"
#include "ops/master_weight.h"
#include "ops/ops_test.h"

namespace fathom::ops {
namespace {

using namespace test;

// The type is the weights'; the states are f32.
class OptimizerTest : public OpsTest {
 protected:
  DeviceTensor floats(const Values& x, Layout layout = {}) {
    return {context_, DType::f32, {std::int64_t(x.size())}, x, layout};
  }
};
INSTANTIATE_ON_DEVICES(OptimizerTest);

constexpr Size optimizer_sizes[] = {1, 7, 300, 20001};

Values f32_values(Size count, unsigned seed, double scale = 1) {
  Values x = random_values(static_cast<std::int64_t>(count), seed, scale);
  for (double& value : x) value = rounded(DType::f32, value);
  return x;
}

TEST_P(OptimizerTest, AddsTheSumOfSquares) {
  for (const Size n : optimizer_sizes) {
    const Values x = f32_values(n, 1);
    double expected = 0.5;
    for (const double value : x) expected += value * value;
    for (const Layout& layout : layouts()) {
      const DeviceTensor out = floats({0.5}, layout);
      add_sum_of_squares(context_, floats(x, layout), out);
      EXPECT_NEAR(out.download()[0] / expected, 1, 5e-7);
    }
  }
}

TEST_P(OptimizerTest, SumOfSquaresDoesNotDependOnTheNumberOfThreads) {
  const DeviceTensor x = floats(f32_values(100000, 1));
  const int threads = num_threads();
  Values first;
  for (const int now : {1, 2, 5, 2}) {
    set_num_threads(now);
    const DeviceTensor out = floats({0});
    add_sum_of_squares(context_, x, out);
    if (first.empty()) first = out.download();
    EXPECT_EQ(out.download(), first);
  }
  set_num_threads(threads);
}

TEST_P(OptimizerTest, ClipScaleBoundsTheNorm) {
  const DeviceTensor norm(context_, DType::f32, {1}), scale(context_, DType::f32, {1});
  const auto scale_of = [&](double sum, float max_norm) {
    clip_scale(context_, floats({sum}), max_norm, norm, scale);
    return scale.download()[0];
  };
  EXPECT_NEAR(scale_of(16, 1), 0.25, 1e-6);
  EXPECT_EQ(norm.download()[0], 4);
  EXPECT_EQ(scale_of(0.25, 1), 1);
  EXPECT_EQ(norm.download()[0], 0.5);
  EXPECT_NEAR(scale_of(1e-12, 1e-6f), 0.5, 1e-4) << "a millionth is added to the norm";
  EXPECT_EQ(scale_of(0, 1), 1);
  EXPECT_EQ(scale_of(0, 0), 1);
  EXPECT_EQ(scale_of(1e10, 0), 1);
  EXPECT_EQ(scale_of(1e10, -1), 1);
  EXPECT_TRUE(std::isnan(scale_of(std::numeric_limits<double>::infinity(), 1)));
  EXPECT_TRUE(std::isnan(scale_of(std::nan(""), 1)));
  EXPECT_TRUE(std::isnan(scale_of(std::nan(""), 0)));
}

struct States {
  Values master, m, v;
};

void reference_adamw(const Values& grad, double scale, const AdamWConstants& c, const AdamWStep& s,
                     States& states) {
  const double correction1 = 1 - std::pow(double{c.beta1}, double(s.step));
  const double correction2 = 1 - std::pow(double{c.beta2}, double(s.step));
  for (Size i = 0; i < grad.size(); ++i) {
    const double g = grad[i] * scale;
    states.m[i] = c.beta1 * states.m[i] + (1 - double{c.beta1}) * g;
    states.v[i] = c.beta2 * states.v[i] + (1 - double{c.beta2}) * g * g;
    states.master[i] -=
        s.lr * (states.m[i] / correction1 / (std::sqrt(states.v[i] / correction2) + c.epsilon) +
                c.weight_decay * states.master[i]);
  }
}

// Master weights as the device keeps them.
class Weights {
 public:
  Weights(Context& context, DType dtype, const Values& master, Layout layout = {})
      : weight(context, dtype, {std::int64_t(master.size())}, layout),
        remainder(context, DType::u16, {std::int64_t(master.size())}, layout) {
    if (dtype == DType::f32) {
      weight.upload(master);
      return;
    }
    Values high, low;
    for (const double value : master) {
      const MasterWeight parts = split_master(std::bit_cast<std::uint32_t>(float(value)));
      high.push_back(float_of(std::uint32_t{parts.weight} << 16));
      low.push_back(parts.remainder);
    }
    weight.upload(high);
    remainder.upload(low);
  }
  Tensor rest() const {
    return weight.tensor().dtype == DType::f32 ? Tensor{} : remainder.tensor();
  }
  Values master() const {
    Values values = weight.download();
    if (!rest()) return values;
    const Values low = remainder.download();
    for (Size i = 0; i < values.size(); ++i) {
      const auto high = std::bit_cast<std::uint32_t>(float(values[i])) >> 16;
      values[i] = float_of(join_master({std::uint16_t(high), static_cast<std::uint16_t>(low[i])}));
    }
    return values;
  }

  static float float_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }
  DeviceTensor weight, remainder;
};

TEST_P(OptimizerTest, AdamWFollowsItsFormulaOverSteps) {
  for (const Size n : optimizer_sizes) {
    States states{f32_values(n, 1), Values(n, 0.0), Values(n, 0.0)};
    for (const Layout& layout : {Layout{0, 0}, Layout{1, 0}}) {
      const Weights weights(context_, dtype(), states.master, layout);
      States expected = states;
      expected.master = weights.master();
      const DeviceTensor m = floats(states.m, layout), v = floats(states.v, layout);
      const DeviceTensor scalars = floats({0.5, 0, 0, 0, 0});
      const AdamWConstants constants{.weight_decay = 0.1f};
      for (int t = 1; t <= 3; ++t) {
        const AdamWStep step{.lr = 0.02f, .step = t};
        const Values grad = f32_values(n, 10 + static_cast<unsigned>(t));
        set_adamw_step(context_, constants, step, scalars);
        adamw(context_, floats(grad, layout), scalars, constants, m, v, weights.weight,
              weights.rest());
        reference_adamw(grad, 0.5, constants, step, expected);
      }
      EXPECT_LT(relative_error(m.download(), expected.m), 1e-6);
      EXPECT_LT(relative_error(v.download(), expected.v), 1e-6);
      const Values result = weights.master();
      EXPECT_LT(relative_error(result, expected.master), 1e-6);
      Values stored = result;
      for (double& value : stored) value = rounded(dtype(), value);
      EXPECT_EQ(weights.weight.download(), stored);
    }
  }
}

// One slice's tensors, the same each time for one seed.
struct SliceTensors {
  SliceTensors(Context& context, DType dtype, Size n, unsigned seed, Layout layout)
      : grad(context, DType::f32, {std::int64_t(n)}, f32_values(n, seed), layout),
        m(context, DType::f32, {std::int64_t(n)}, f32_values(n, seed + 1), layout),
        v(context, DType::f32, {std::int64_t(n)}, Values(n, 0.25), layout),
        weights(context, dtype, f32_values(n, seed + 2), layout) {}
  AdamWSlice slice(float weight_decay) const {
    return {grad, m, v, weights.weight, weights.rest(), weight_decay};
  }

  DeviceTensor grad, m, v;
  Weights weights;
};

// The table of some slices.
class SliceTable {
 public:
  SliceTable(Context& context, std::span<const AdamWSlice> slices)
      : memory_(context.device, std::size_t(adamw_table_bytes(slices))) {
    write_adamw_table(context, slices, *this);
  }
  operator Tensor() const { return memory_.tensor(DType::u8, {std::int64_t(memory_.bytes())}); }

 private:
  Buffer memory_;
};

// Pieces of a slice, its last elements, slices at odd addresses, with and without decay.
TEST_P(OptimizerTest, SlicesAreUpdatedTogetherAsEachAlone) {
  const DeviceTensor scalars = floats({0.5, 0, 0, 0, 0});
  const AdamWConstants constants{.beta1 = 0.8f, .weight_decay = 7};  // the slices have their own
  set_adamw_step(context_, constants, {.lr = 0.02f, .step = 3}, scalars);
  std::vector<std::unique_ptr<SliceTensors>> alone, together;
  std::vector<AdamWSlice> slices;
  for (const Size n : {1, 7, 8, 257, 2047, 2048, 2049, 5003}) {
    for (const Layout& layout : {Layout{0, 0}, Layout{1, 0}}) {
      const auto seed = static_cast<unsigned>(10 * slices.size());
      AdamWConstants own = constants;
      own.weight_decay = slices.size() % 3 == 0 ? 0.0f : 0.1f;
      alone.push_back(std::make_unique<SliceTensors>(context_, dtype(), n, seed, layout));
      together.push_back(std::make_unique<SliceTensors>(context_, dtype(), n, seed, layout));
      slices.push_back(together.back()->slice(own.weight_decay));
      const AdamWSlice one = alone.back()->slice(own.weight_decay);
      adamw(context_, one.grad, scalars, own, one.m, one.v, one.weight, one.remainder);
    }
  }
  const SliceTable table(context_, slices);
  adamw(context_, slices, table, scalars, constants);
  for (Size i = 0; i < slices.size(); ++i) {
    const auto expect_same = [&](const Values& actual, const Values& expected) {
      EXPECT_LT(relative_error(actual, expected), device() == cpu_device ? 1e-30 : 1e-7) << i;
    };
    expect_same(together[i]->m.download(), alone[i]->m.download());
    expect_same(together[i]->v.download(), alone[i]->v.download());
    expect_same(together[i]->weights.master(), alone[i]->weights.master());
    EXPECT_EQ(together[i]->grad.download(), alone[i]->grad.download());
  }
}

// Pieces of 2048 elements, each with its addresses.
TEST(AdamWTable, HoldsTheSlicesInPieces) {
  Context context(cpu_device, 0);
  constexpr std::int64_t sizes[] = {1, 2048, 2049, 5003, 0};
  struct Memory {
    std::vector<float> floats;
    std::vector<std::uint16_t> halves;
  };
  std::vector<Memory> memory;
  std::vector<AdamWSlice> slices;
  for (const std::int64_t n : sizes) {
    Memory& own = memory.emplace_back(Memory{std::vector<float>(std::size_t(4 * n)),
                                             std::vector<std::uint16_t>(std::size_t(2 * n))});
    const auto floats = [&](std::int64_t i) {
      return Tensor(own.floats.data() + i * n, DType::f32, {n});
    };
    const bool bf16 = slices.size() % 2 == 1;
    slices.push_back({floats(0), floats(1), floats(2),
                      bf16 ? Tensor(own.halves.data(), DType::bf16, {n}) : floats(3),
                      bf16 ? Tensor(own.halves.data() + n, DType::u16, {n}) : Tensor(),
                      static_cast<float>(slices.size())});
  }
  EXPECT_EQ(adamw_table_bytes({}), 0);
  EXPECT_EQ(adamw_table_bytes(slices), 7 * std::int64_t{sizeof(AdamWPiece)});
  std::vector<AdamWPiece> pieces(7);
  write_adamw_table(context, slices, Tensor(pieces.data(), DType::u8, {adamw_table_bytes(slices)}));
  struct Piece {
    std::size_t slice;
    std::int64_t first;
    std::int32_t count;
  };
  const Piece expected[] = {{0, 0, 1},    {1, 0, 2048},    {2, 0, 2048},  {2, 2048, 1},
                            {3, 0, 2048}, {3, 2048, 2048}, {3, 4096, 907}};
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    SCOPED_TRACE(i);
    const auto& [of, first, count] = expected[i];
    const AdamWSlice& slice = slices[of];
    EXPECT_EQ(pieces[i].grad, slice.grad.as<float>() + first);
    EXPECT_EQ(pieces[i].m, slice.m.as<float>() + first);
    EXPECT_EQ(pieces[i].v, slice.v.as<float>() + first);
    EXPECT_EQ(pieces[i].weight,
              static_cast<std::byte*>(slice.weight.data) + first * size_of(slice.weight.dtype));
    EXPECT_EQ(pieces[i].remainder,
              slice.remainder ? slice.remainder.as<std::uint16_t>() + first : nullptr);
    EXPECT_EQ(pieces[i].count, count);
    EXPECT_EQ(pieces[i].weight_decay, slice.weight_decay);
  }
}

TEST_P(OptimizerTest, AScaleThatIsNotFiniteChangesNoSlice) {
  const DeviceTensor scalars = floats({std::nan(""), 0, 0, 0, 0});
  const SliceTensors changed(context_, dtype(), 100, 1, {}), kept(context_, dtype(), 100, 1, {});
  const std::vector<AdamWSlice> slices{changed.slice(0.1f)};
  set_adamw_step(context_, {}, {.lr = 0.1f}, scalars);
  adamw(context_, slices, SliceTable(context_, slices), scalars, {});
  EXPECT_EQ(changed.weights.master(), kept.weights.master());
  EXPECT_EQ(changed.m.download(), kept.m.download());
}

// The same floats on every device, which the host computes in double precision.
TEST_P(OptimizerTest, AStepsScalarsAreRoundedOnce) {
  for (const float beta1 : {0.0f, 0.9f, 0.999f}) {
    for (const std::int64_t t : {1, 2, 3, 10, 1000, 1'000'000}) {
      const AdamWConstants constants{.beta1 = beta1, .beta2 = 0.95f};
      const AdamWStep step{.lr = 3.2e-4f, .step = t};
      const DeviceTensor scalars = floats({0.375, 1, 1, 1, 1});
      set_adamw_step(context_, constants, step, scalars);
      const double correction1 = 1 - std::pow(double{beta1}, double(t));
      const double correction2 = 1 - std::pow(double{0.95f}, double(t));
      EXPECT_EQ(scalars.download(),
                (Values{0.375, double{3.2e-4f}, float(double{3.2e-4f} / correction1),
                        float(1 / correction1), float(1 / correction2)}))
          << beta1 << ", " << t;
    }
  }
}

// Of a gradient that never changes, the corrected moments are g and g² from the first step on: each
// step moves a weight by the rate, whatever the size of the gradient.
TEST_P(OptimizerTest, TheMomentsBiasIsCorrected) {
  const Values grad{1e-3, -0.5, 2, -300};
  const DeviceTensor m = floats(Values(4, 0.0)), v = floats(Values(4, 0.0));
  const Weights weights(context_, dtype(), Values(4, 1.0));
  const DeviceTensor scalars = floats({1, 0, 0, 0, 0});
  for (int t = 1; t <= 60; ++t) {
    const AdamWStep step{.lr = 0.01f, .step = t};
    set_adamw_step(context_, {}, step, scalars);
    adamw(context_, floats(grad), scalars, {}, m, v, weights.weight, weights.rest());
    const Values now = weights.master();
    for (Size i = 0; i < grad.size(); ++i) {
      EXPECT_NEAR(now[i], 1 - 0.01 * t * (grad[i] > 0 ? 1 : -1), 2e-5) << t << ", " << grad[i];
    }
  }
}

TEST_P(OptimizerTest, AScaleThatIsNotFiniteChangesNothing) {
  const Values start = f32_values(50, 1);
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const Weights weights(context_, dtype(), start);
    const Values before = weights.master();
    const DeviceTensor m = floats(start), v = floats(Values(50, 1.0));
    const DeviceTensor scalars = floats({bad, 0, 0, 0, 0});
    set_adamw_step(context_, {}, {.lr = 0.1f}, scalars);
    adamw(context_, floats(start), scalars, {}, m, v, weights.weight, weights.rest());
    EXPECT_EQ(weights.master(), before);
    EXPECT_EQ(m.download(), start);
    EXPECT_EQ(v.download(), Values(50, 1.0));
  }
}

// Every pattern of low bits, around changes of exponent and sign.
TEST(MasterWeight, RoundsToNearestAndComesBack) {
  for (const std::uint32_t high : {0x0000u, 0x0001u, 0x3f7fu, 0x3f80u, 0x3f81u, 0xbf7fu, 0xc2ffu}) {
    for (std::uint32_t low = 0; low <= 0xffffu; ++low) {
      const std::uint32_t bits = (high << 16) | low;
      const MasterWeight parts = split_master(bits);
      ASSERT_EQ(parts.weight, bfloat16(std::bit_cast<float>(bits)).bits) << bits;
      const bool tie_down = low == 0x8000u && high % 2 == 0;
      ASSERT_EQ(join_master(parts), bits - tie_down) << bits;
    }
  }
}

TEST(MasterWeight, SplitsAndJoinsTensors) {
  const std::vector<float> master = {1.0f, -2.718281828f, 3e-39f, 0.0f, 1.00390625f, 12345.678f};
  const auto n = std::int64_t(master.size());
  std::vector<bfloat16> weight(master.size());
  std::vector<std::uint16_t> remainder(master.size());
  std::vector<float> back(master.size());
  const auto view = [n](auto& values, DType dtype) { return Tensor(values.data(), dtype, {n}); };
  std::vector<float> from = master;
  split_master_weights(view(from, DType::f32), view(weight, DType::bf16),
                       view(remainder, DType::u16));
  join_master_weights(view(weight, DType::bf16), view(remainder, DType::u16),
                      view(back, DType::f32));
  EXPECT_EQ(back[1], master[1]);
  EXPECT_EQ(static_cast<float>(weight[1]), static_cast<float>(bfloat16(master[1])));
  // 1 + 2^-8 lies between two weights and rounds down to the even one.
  EXPECT_EQ(back[4], std::nextafter(master[4], 0.0f));
  for (const std::size_t i : {0u, 2u, 3u, 5u}) EXPECT_EQ(back[i], master[i]);
}

TEST(MasterWeight, SplitsAndJoinsNothingBehindTheTensors) {
  constexpr std::int64_t n = 3;
  std::vector<float> master(n + 1, 1.5f), back(n + 1, 7.0f);
  std::vector<bfloat16> weight(n + 1, bfloat16(7.0f));
  std::vector<std::uint16_t> remainder(n + 1, 7);
  const auto view = [](auto& values, DType dtype) { return Tensor(values.data(), dtype, {n}); };
  split_master_weights(view(master, DType::f32), view(weight, DType::bf16),
                       view(remainder, DType::u16));
  join_master_weights(view(weight, DType::bf16), view(remainder, DType::u16),
                      view(back, DType::f32));
  EXPECT_EQ(static_cast<float>(weight[n]), 7.0f);
  EXPECT_EQ(remainder[n], 7);
  EXPECT_EQ(back, (std::vector<float>{1.5f, 1.5f, 1.5f, 7.0f}));
}

}  // namespace
}  // namespace fathom::ops
