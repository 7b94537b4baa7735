// The choice of micro-batch and recomputation, without a GPU: by bytes made up, and by
// those that the real models take.
#include "train/fit.h"

#include <gtest/gtest.h>

#include "learn/learner.h"

namespace fathom {
namespace {

constexpr std::size_t gib = std::size_t{1} << 30;

// A policy keeps so many units a sequence, beside 100 that are always there.
std::size_t made_up_bytes(const Fit& fit) {
  const std::size_t kept[] = {10, 6, 1};
  return 100 +
         static_cast<std::size_t>(fit.micro_batch) * kept[static_cast<std::size_t>(fit.recompute)];
}

FitRequest request(std::int64_t batch) {
  FitRequest r;
  r.batch = batch;
  r.sequence_length = 4096;
  return r;
}

TEST(Fit, TakesTheFastestThatFits) {
  const auto choose = [](std::size_t available) {
    return choose_fit(request(8), available, made_up_bytes);
  };
  EXPECT_EQ(choose(1000), (Fit{4, Recompute::none})) << "16384 tokens are enough";
  EXPECT_EQ(choose(140), (Fit{4, Recompute::none})) << "to the last byte";
  EXPECT_EQ(choose(139), (Fit{2, Recompute::none}));
  EXPECT_EQ(choose(119), (Fit{2, Recompute::selective})) << "4096 tokens make small products";
  EXPECT_EQ(choose(111), (Fit{1, Recompute::none}));
  EXPECT_EQ(choose(109), (Fit{1, Recompute::selective}));
  EXPECT_EQ(choose(105), (Fit{4, Recompute::full}));
  EXPECT_EQ(choose(101), (Fit{1, Recompute::full}));
  EXPECT_EQ(choose(50), (Fit{1, Recompute::full})) << "the least, when nothing fits";
  EXPECT_EQ(choose_fit(request(8), 1, [](const Fit&) { return std::size_t{500}; }),
            (Fit{4, Recompute::none}))
      << "of equals the fastest";
}

TEST(Fit, MicroBatchesDivideTheStep) {
  EXPECT_EQ(choose_fit(request(6), 1000, made_up_bytes).micro_batch, 3);
  EXPECT_EQ(choose_fit(request(7), 1000, made_up_bytes).micro_batch, 1);
  EXPECT_EQ(choose_fit(request(4), 1000, made_up_bytes).micro_batch, 4);
  FitRequest long_sequences = request(4);
  long_sequences.sequence_length = 32768;
  EXPECT_EQ(choose_fit(long_sequences, 1000, made_up_bytes).micro_batch, 1);
}

TEST(Fit, LeavesWhatIsGiven) {
  FitRequest r = request(8);
  r.recompute = Recompute::selective;
  EXPECT_EQ(choose_fit(r, 110, made_up_bytes), (Fit{1, Recompute::selective}));
  r.micro_batch = 8;
  EXPECT_EQ(choose_fit(r, 1000, made_up_bytes), (Fit{8, Recompute::selective}));
  r.recompute.reset();
  EXPECT_EQ(choose_fit(r, 150, made_up_bytes), (Fit{8, Recompute::selective}));
}

ModelConfig model(std::int64_t layers, std::int64_t width, std::int64_t heads,
                  std::int64_t mlp_width) {
  ModelConfig m;
  m.num_layers = layers;
  m.hidden_size = width;
  m.num_heads = heads;
  m.intermediate_size = mlp_width;
  m.vocab_size = 102400;
  return resolve(m);
}

Fit choose_for(const ModelConfig& m, std::size_t available) {
  const OneRank rank(m);
  return choose_fit(request(8), available, [&](const Fit& fit) {
    LearnerOptions o(rank.groups);
    o.model = m;
    o.dtype = DType::bf16;
    o.stage = {fit.recompute, 8192};
    o.micro_tokens = fit.micro_batch * 4096;
    o.tokens_per_step = 8 * 4096;
    return Learner::bytes(o).device_total();
  });
}

// 139 GiB are an H200's, 78 an H100's.
TEST(Fit, RealModelsOnRealCards) {
  const ModelConfig one = model(24, 2048, 16, 5504), seven = model(30, 4096, 32, 11008);
  EXPECT_EQ(choose_for(one, 138 * gib), (Fit{4, Recompute::none}));
  EXPECT_EQ(choose_for(one, 77 * gib), (Fit{4, Recompute::none}));
  EXPECT_EQ(choose_for(seven, 138 * gib), (Fit{2, Recompute::none}));
  EXPECT_EQ(choose_for(seven, 130 * gib), (Fit{2, Recompute::selective}));
  EXPECT_EQ(choose_for(seven, 77 * gib), (Fit{1, Recompute::full})) << "states alone are 103 GiB";
}

TEST(Fit, TheCpuIsLeftToThePlan) {
  TrainConfig config;
  config.model = model(2, 64, 4, 128);
  config.train.steps = 1;
  config.train.sequence_length = 128;
  config.train.global_batch = 64;
  const TrainPlan plan = resolve_to_fit(config, {300, 10000}, 1, 0);
  EXPECT_EQ(plan.config.train.micro_batch, 32);
  EXPECT_EQ(plan.config.train.recompute, RecomputeChoice::selective);
  EXPECT_EQ(plan.stage_options().recompute, Recompute::selective);
}

TEST(Fit, ChoicesAndPoliciesAgree) {
  for (const Recompute policy : {Recompute::none, Recompute::selective, Recompute::full}) {
    EXPECT_EQ(policy_of(choice_of(policy)), policy);
    EXPECT_EQ(enum_name(choice_of(policy)), enum_name(policy));
  }
  EXPECT_FALSE(policy_of(RecomputeChoice::automatic));
}

}  // namespace
}  // namespace fathom
