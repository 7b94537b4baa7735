// Where a run is, as its checkpoints keep it.
#include "train/run_state.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

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

// The next step's warm-up, the sixth of ten, and the decay of the fifth, behind 40 % of the run.
TEST_F(RunState, KeepsTheSharesOfTheLearningRate) {
  EXPECT_DOUBLE_EQ(state_.schedule.warmup, 0.6);
  EXPECT_DOUBLE_EQ(state_.schedule.decay, 0.1 + 0.9 * (1 + std::cos(0.4 * std::numbers::pi)) / 2);
}

}  // namespace
}  // namespace fathom
