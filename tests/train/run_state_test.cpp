// Where a run is, as its checkpoints keep it.
#include "train/run_state.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numbers>

#include "checkpoint/writer.h"
#include "train/rank_config.h"

namespace fathom {
namespace {

// Ten steps of 8 sequences of 16 tokens, of which five are done.
class RunState : public testing::Test {
 protected:
  RunState() {
    TrainConfig config = test::rank_config(dir_, "run", 2, 4);
    config.train.steps = 10;
    config.schedule.kind = ScheduleKind::cosine;
    config.schedule.warmup_steps = 10;
    config.schedule.max_warmup = 1;
    plan_ = resolve(config, {256, 10000}, 1);
    identity_.seed = 77;
    identity_.data.sample_order = 78;
    identity_.tokenizer_hash = "79";
    identity_.objective = "80";
    state_ = state_of(position_, guard_, identity_, plan_);
  }

  test::TempDir dir_;
  TrainPlan plan_;
  RunIdentity identity_;
  const RunPosition position_{5, 5 * 128, 43, 12.5};
  const SpikeGuard::State guard_{2.5, 0.25, 30, 7, 3};
  TrainingState state_;
};

TEST_F(RunState, TheGuardGoesOnWithItsOwnCounts) {
  const GuardState& saved = state_.guard.value();
  EXPECT_EQ(saved.mean, 2.5);
  EXPECT_EQ(saved.variance, 0.25);
  EXPECT_EQ(saved.seen, 30);
  EXPECT_EQ(saved.skipped, 7);
  EXPECT_EQ(saved.consecutive, 3);
  const SpikeGuard::State again = guard_in(state_);
  EXPECT_EQ(again.mean, guard_.mean);
  EXPECT_EQ(again.variance, guard_.variance);
  EXPECT_EQ(again.seen, guard_.seen);
  EXPECT_EQ(again.skipped, guard_.skipped);
  EXPECT_EQ(again.consecutive, guard_.consecutive);
}

TEST_F(RunState, ARunGoesOnWhereItWas) {
  EXPECT_EQ(state_.step, 5);
  EXPECT_EQ(state_.tokens, 640);
  EXPECT_EQ(state_.data.value().next_sample, 43);
  EXPECT_EQ(state_.elapsed_seconds, 12.5);
  const RunPosition again = position_in(state_);
  EXPECT_EQ(again.steps, position_.steps);
  EXPECT_EQ(again.tokens, position_.tokens);
  EXPECT_EQ(again.next_sample, position_.next_sample);
  EXPECT_EQ(again.seconds, position_.seconds);
  EXPECT_EQ(state_.seed, 77u);
  EXPECT_EQ(state_.data.value().sample_order, 78u);
  EXPECT_EQ(state_.tokenizer_hash, "79");
  EXPECT_EQ(state_.objective, "80");
}

// Phases to come are a plan that may change; one that begins with the next sample is to come.
TEST_F(RunState, KeepsThePhasesThatHaveBegun) {
  for (const std::int64_t first : {1, 42, 43, 44}) {
    identity_.data.phases.push_back({first, 0, std::uint64_t(first), {}});
  }
  const std::vector<PhaseState> phases =
      state_of(position_, guard_, identity_, plan_).data.value().phases;
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(phases[0].first_sample, 1);
  EXPECT_EQ(phases[1].first_sample, 42);
}

TEST_F(RunState, KeepsWhatTheRunContinues) {
  EXPECT_FALSE(state_.branch);
  plan_.branch = BranchState{"x", 2, 300, 10, 0.25, {{"a", 7, 16, 9}}};
  EXPECT_EQ(state_of(position_, guard_, identity_, plan_).branch, plan_.branch);
  EXPECT_NE(state_.config_toml.find("num_layers = 2"), std::string::npos);
}

TEST_F(RunState, ACheckpointIsUsedWhereOneIsWanted) {
  const OneRank rank(plan_.config.model);
  const std::string directory = dir_ / "checkpoints";
  std::filesystem::create_directories(directory);
  std::vector<std::string> used;
  const auto use = [&](const std::string& resume) {
    return use_checkpoint(directory, resume, rank.groups, [&](const Checkpoint& checkpoint) {
      used.push_back(checkpoint.directory());
    });
  };
  EXPECT_FALSE(use("auto")) << "there is none";
  EXPECT_EQ(test::input_error_of([&] { use(directory); }).find(directory + ": holds no checkpoint"),
            0u);
  std::vector<float> values(3);
  for (const std::int64_t step : {1, 2}) {
    state_.step = step;
    write_checkpoint(
        directory + "/" + checkpoint_name(step),
        {CheckpointTensor::whole(StateKind::weight, "w", Tensor(values.data(), DType::f32, {3}))},
        state_);
  }
  EXPECT_FALSE(use("none"));
  EXPECT_TRUE(use("auto"));
  EXPECT_TRUE(use(directory + "/step-00000001"));
  EXPECT_EQ(used,
            (std::vector<std::string>{directory + "/step-00000002", directory + "/step-00000001"}));
}

// The next step's warm-up, the sixth of ten, and the decay of the fifth, behind 40 % of the run.
TEST_F(RunState, KeepsTheSharesOfTheLearningRate) {
  EXPECT_DOUBLE_EQ(state_.schedule.warmup, 0.6);
  EXPECT_DOUBLE_EQ(state_.schedule.decay, 0.1 + 0.9 * (1 + std::cos(0.4 * std::numbers::pi)) / 2);
}

}  // namespace
}  // namespace fathom
