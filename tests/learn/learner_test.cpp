// The real learner against PyTorch in float64: the parameters after three AdamW steps.
#include "learn/learner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.h"
#include "model/golden.h"
#include "ops/master_weight.h"

namespace fathom {
namespace {

using golden::Golden;

struct Case {
  const char* name;
  DType dtype;
};

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.name) + "_" + std::string(name_of(info.param.dtype));
}

LearnerOptions options_of(const Golden& golden, DType dtype, const OneRank& rank) {
  LearnerOptions o(rank.groups);
  o.model = golden.config;
  o.dtype = dtype;
  o.device = cpu_device;
  o.optimizer.beta1 = golden.real("beta1");
  o.optimizer.beta2 = golden.real("beta2");
  o.optimizer.epsilon = golden.real("epsilon");
  o.optimizer.weight_decay = golden.real("decay");
  o.optimizer.clip = golden.real("max_norm");
  o.micro_tokens = o.tokens_per_step = golden.batch * golden.length;
  return o;
}

std::vector<float> minus(std::vector<float> a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

std::vector<float> master_of(Context& context, const OptimizerSlice& slice) {
  std::vector<float> master = golden::download(context, slice.weight);
  if (!slice.remainder) return master;
  std::vector<std::uint16_t> low(master.size());
  copy_bytes(low.data(), cpu_device, slice.remainder.data, slice.remainder.device,
             slice.remainder.bytes(), context.stream);
  synchronize(context.device, context.stream);
  for (std::size_t i = 0; i < master.size(); ++i) {
    const auto high = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(master[i]) >> 16);
    master[i] = std::bit_cast<float>(ops::join_master({high, low[i]}));
  }
  return master;
}

class GoldenLearner : public testing::TestWithParam<Case> {};

TEST_P(GoldenLearner, ThreeStepsMatchPyTorch) {
  const auto [name, dtype] = GetParam();
  const double bound = dtype == DType::f32 ? 1e-5 : 2e-2;
  const Golden golden(name);
  const OneRank rank(golden.config);
  Learner learner(options_of(golden, dtype, rank));
  // Weights of the fixture are exact in both types.
  for (const OptimizerSlice& slice : learner.optimizer().slices()) {
    golden::upload(learner.context(), golden.values<float>("weight." + slice.name), slice.weight);
  }
  for (int i = 0; i < 3; ++i) {
    const golden::Step step(golden, learner.context(), i);
    const auto result = learner.compute_gradients({&step.batch, 1}, step.counted);
    const double expected = golden.values<float>("loss." + std::to_string(i))[0];
    EXPECT_NEAR(result.loss, expected, bound * expected) << "step " << i;
    EXPECT_GT(result.gradient_norm, golden.real("max_norm") / 20);
    learner.update(golden.real("lr"), i + 1);
  }
  for (const OptimizerSlice& slice : learner.optimizer().slices()) {
    const auto after = golden.values<float>("after." + slice.name);
    const auto before = golden.values<float>("weight." + slice.name);
    const auto master = master_of(learner.context(), slice);
    EXPECT_LT(golden::relative_error(golden::download(learner.context(), slice.weight), after),
              bound)
        << slice.name;
    EXPECT_LT(golden::relative_error(master, after), bound) << slice.name;
    // Weights hardly move in three steps; what they moved by is the sharper measure.
    // AdamW divides a gradient by its own size, so where that is nearly zero its
    // rounding decides the sign: hence the wider bound.
    EXPECT_LT(golden::relative_error(minus(master, before), minus(after, before)),
              dtype == DType::f32 ? 1e-3 : 0.25)
        << slice.name;
  }
}

// Results fetched a step late are those of their own step, and change nothing.
TEST(Learner, TwoResultsMayStandOut) {
  const Golden golden("gqa");
  const OneRank rank(golden.config);
  Learner prompt(options_of(golden, DType::bf16, rank)),
      late(options_of(golden, DType::bf16, rank));
  std::vector<Learner::Result> expected, fetched;
  for (Learner* learner : {&prompt, &late}) learner->initialize_weights(5);
  for (int i = 0; i < 3; ++i) {
    const golden::Step step(golden, prompt.context(), i);
    expected.push_back(prompt.compute_gradients({&step.batch, 1}, step.counted));
    prompt.update(1e-3, i + 1);
    late.queue_gradients({&step.batch, 1}, step.counted);
    late.update(1e-3, i + 1);
    if (i > 0) fetched.push_back(late.next_result());
  }
  fetched.push_back(late.next_result());
  EXPECT_THROW(late.next_result(), Error);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(fetched[i].loss, expected[i].loss);
    EXPECT_EQ(fetched[i].gradient_norm, expected[i].gradient_norm);
    EXPECT_NE(expected[i].loss, expected[(i + 1) % expected.size()].loss);
  }
  const golden::Step step(golden, late.context(), 0);
  late.queue_gradients({&step.batch, 1}, step.counted);
  late.queue_gradients({&step.batch, 1}, step.counted);
  EXPECT_THROW(late.queue_gradients({&step.batch, 1}, step.counted), Error);
}

// Sizes that were planned for are limits, and a step without targets has no loss.
TEST(Learner, TakesWhatWasPlannedFor) {
  const Golden golden("gqa");
  const OneRank rank(golden.config);
  LearnerOptions options = options_of(golden, DType::f32, rank);
  options.logit_rows = 2;
  Learner learner(options);
  learner.initialize_weights(5);
  const golden::Step step(golden, learner.context(), 0);
  EXPECT_EQ(learner.compute_gradients({&step.batch, 1}, 0).loss, 0);
  EXPECT_EQ(learner.evaluate(step.batch).size(), std::size_t(options.micro_tokens));
  const std::vector<std::int32_t> rows{0, 1};
  EXPECT_EQ(learner.next_logits(step.batch, rows).size(),
            2 * std::size_t(options.model.vocab_size));
  EXPECT_THROW(learner.next_logits(step.batch, std::vector<std::int32_t>{0, 1, 2}), Error);
  options.micro_tokens = options.tokens_per_step = golden.batch * golden.length - 1;
  Learner smaller(options);
  EXPECT_THROW(smaller.queue_gradients({&step.batch, 1}, 1), Error);
  EXPECT_THROW(smaller.evaluate(step.batch), Error);
  EXPECT_THROW(smaller.next_logits(step.batch, rows), Error);
}

// The step's loss is the mean over the targets of all its micro-batches, from the same losses
// as an evaluation's.
TEST(Learner, TheLossIsTheMeanOverTheTargetsThatCount) {
  const Golden golden("gqa");
  const OneRank rank(golden.config);
  LearnerOptions options = options_of(golden, DType::f32, rank);
  options.tokens_per_step *= 2;
  Learner learner(options);
  learner.initialize_weights(5);
  const golden::Step one(golden, learner.context(), 0), two(golden, learner.context(), 1);
  double sum = 0;
  for (const golden::Step* step : {&one, &two}) {
    for (const float loss : learner.evaluate(step->batch)) sum += double{loss};
  }
  const MicroBatch both[] = {one.batch, two.batch};
  const std::int64_t targets = one.counted + two.counted;
  EXPECT_NEAR(learner.compute_gradients(both, targets).loss, sum / double(targets), 1e-6);
}

TEST(Optimizer, ErrorsNameTheKey) {
  const auto message = [](auto&& change) -> std::string {
    OptimizerConfig config;
    change(config);
    try {
      check(config);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([](auto& c) { c.beta1 = c.clip = c.weight_decay = 0; }), "no error");
  EXPECT_TRUE(message([](auto& c) { c.beta1 = -0.1; }).starts_with("optimizer.beta1 is -0.1"));
  EXPECT_TRUE(message([](auto& c) { c.beta1 = 1; }).starts_with("optimizer.beta1 is 1"));
  EXPECT_TRUE(message([](auto& c) { c.beta2 = NAN; }).starts_with("optimizer.beta2 is nan"));
  EXPECT_TRUE(message([](auto& c) { c.epsilon = 0; }).starts_with("optimizer.epsilon is 0"));
  EXPECT_TRUE(
      message([](auto& c) { c.epsilon = 1e-50; }).starts_with("optimizer.epsilon is 1e-50"));
  EXPECT_TRUE(message([](auto& c) { c.epsilon = 1e39; }).starts_with("optimizer.epsilon is 1e+39"));
  EXPECT_TRUE(message([](auto& c) { c.clip = -1; }).starts_with("optimizer.clip is -1"));
  EXPECT_TRUE(message([](auto& c) { c.clip = INFINITY; }).starts_with("optimizer.clip is inf"));
  EXPECT_TRUE(message([](auto& c) {
                c.weight_decay = 1e39;
              }).starts_with("optimizer.weight_decay is 1e+39"));
  EXPECT_TRUE(
      message([](auto& c) { c.weight_decay = -1; }).starts_with("optimizer.weight_decay is -1"));
}

// Weights that are set between the head's forward and its backward, whether a chunk holds all
// logits or not, give the bits of weights that were there before.
TEST(Learner, LossesMayBeWeighedWithinTheStep) {
  const Golden golden("gqa");
  const OneRank rank(golden.config);
  const auto weight_of = [](float loss) { return loss > 4 ? 0.25f * loss : -0.5f; };
  for (const std::int64_t chunk : {golden.batch * golden.length, std::int64_t{5}}) {
    SCOPED_TRACE(chunk);
    LearnerOptions options = options_of(golden, DType::bf16, rank);
    options.stage.logits_chunk = chunk;
    options.tokens_per_step *= 2;
    Learner before(options), within(options);
    for (Learner* learner : {&before, &within}) learner->initialize_weights(5);
    const golden::Step one(golden, before.context(), 0), two(golden, before.context(), 1);
    std::vector<MicroBatch> batches{one.batch, two.batch};
    std::vector<std::vector<float>> losses, weights(2), set_within(2);
    for (std::size_t i = 0; i < 2; ++i) {
      const std::span<const float> evaluated = before.evaluate(batches[i]);
      losses.emplace_back(evaluated.begin(), evaluated.end());
      for (const float loss : evaluated) weights[i].push_back(weight_of(loss));
      set_within[i].assign(evaluated.size(), 9.0f);
    }
    const auto weighted_by = [&](std::vector<std::vector<float>>& values) {
      for (std::size_t i = 0; i < 2; ++i) {
        batches[i].loss_weights = Tensor(values[i].data(), DType::f32, {std::ssize(values[i])});
      }
      return std::span(batches);
    };
    const Learner::Result expected = before.compute_gradients(weighted_by(weights), 7);
    const Learner::Result result = within.compute_gradients(
        weighted_by(set_within), 7,
        [&](std::size_t i, std::span<const float> given, std::span<float> into) {
          EXPECT_TRUE(std::ranges::equal(given, losses[i]));
          std::ranges::transform(given, into.begin(), weight_of);
        });
    EXPECT_EQ(result.loss, expected.loss);
    EXPECT_EQ(result.gradient_norm, expected.gradient_norm);
    EXPECT_GT(expected.gradient_norm, 0);
    EXPECT_EQ(set_within, weights);
    for (std::size_t i = 0; i < before.parameters().all().size(); ++i) {
      const Parameter &a = before.parameters().all()[i], &b = within.parameters().all()[i];
      EXPECT_EQ(golden::download(within.context(), b.gradient),
                golden::download(before.context(), a.gradient))
          << a.spec.name;
    }
  }
}

TEST(Learner, AWarmUpChangesNothing) {
  const Golden golden("gqa");
  const OneRank rank(golden.config);
  Learner cold(options_of(golden, DType::bf16, rank)), warm(options_of(golden, DType::bf16, rank));
  for (Learner* learner : {&cold, &warm}) learner->initialize_weights(5);
  const golden::Step other(golden, warm.context(), 1), step(golden, warm.context(), 0);
  warm.warm_up({&other.batch, 1});
  for (Learner* learner : {&cold, &warm}) {
    learner->compute_gradients({&step.batch, 1}, step.counted);
    learner->update(1e-3, 1);
  }
  for (std::size_t i = 0; i < cold.optimizer().slices().size(); ++i) {
    const OptimizerSlice &a = cold.optimizer().slices()[i], &b = warm.optimizer().slices()[i];
    EXPECT_EQ(master_of(cold.context(), a), master_of(warm.context(), b)) << a.name;
    for (const auto moment : {&OptimizerSlice::m, &OptimizerSlice::v}) {
      EXPECT_EQ(golden::download(cold.context(), a.*moment),
                golden::download(warm.context(), b.*moment))
          << a.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, GoldenLearner, testing::ValuesIn([] {
      std::vector<Case> cases;
      for (const char* name : {"mha", "mha_documents", "gqa", "gqa_documents", "gqa_weighted"}) {
        for (const DType dtype : {DType::f32, DType::bf16}) cases.push_back({name, dtype});
      }
      return cases;
    }()),
    name_of_case);

}  // namespace
}  // namespace fathom
