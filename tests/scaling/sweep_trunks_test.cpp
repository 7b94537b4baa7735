#include "scaling/sweep_trunks.h"

#include <gtest/gtest.h>

#include "train/plan.h"

namespace fathom::scaling {
namespace {

constexpr std::int64_t trunk_length = 10;

SweepRun run_of(const std::string& name, std::int64_t layers, std::int64_t steps,
                double rate = 1e-3, std::int64_t batch = 2) {
  SweepRun run;
  run.name = name;
  run.model.num_layers = layers;
  run.batch = batch;
  run.learning_rate = rate;
  run.tokens = steps * batch * trunk_length;
  return run;
}

TrunkOptions options() {
  TrunkOptions options;
  options.sequence_length = trunk_length;
  return options;
}

// The first step whose rate is lower, by the plan that training goes by.
TEST(FirstPhase, EndsWhereTheRateFalls) {
  for (const std::int64_t steps : {10, 13, 49, 100, 777, 12345}) {
    for (const double milestone : {0.8, 0.3, 0.1, 0.999}) {
      TrainPlan plan;
      plan.config.schedule.warmup_steps = 0;
      plan.config.schedule.max_warmup = 1;
      plan.config.schedule.milestones = {milestone};
      plan.config.schedule.factors = {0.5};
      plan.max_tokens = steps * 20;
      const std::int64_t end = first_phase_steps(plan.config.schedule, steps);
      const auto rate = [&](std::int64_t step) {
        return plan.learning_rate({step, step * 20, 0, 0});
      };
      EXPECT_EQ(rate(end - 1), plan.config.schedule.peak) << steps << " " << milestone;
      EXPECT_LT(rate(end), plan.config.schedule.peak) << steps << " " << milestone;
    }
  }
}

TEST(FirstPhase, OtherSchedulesHaveNone) {
  ScheduleConfig schedule;
  schedule.kind = ScheduleKind::cosine;
  EXPECT_EQ(first_phase_steps(schedule, 100), 0);
}

TEST(Trunks, TheLongestRunOfAModelIsTheTrunkOfTheOthers) {
  std::vector<SweepRun> runs{run_of("a-short", 1, 100),
                             run_of("a-long", 1, 1000),
                             run_of("b", 2, 500),
                             run_of("a-middle", 1, 400),
                             run_of("a-rate", 1, 400, 2e-3),
                             run_of("a-batch", 1, 400, 1e-3, 4)};
  plan_trunks(runs, options());
  EXPECT_EQ(runs[0].trunk, "a-long");
  EXPECT_EQ(runs[0].branch_step, 80);
  EXPECT_EQ(runs[3].trunk, "a-long");
  EXPECT_EQ(runs[3].branch_step, 320);
  for (const std::size_t alone : {1, 2, 4, 5}) {
    EXPECT_EQ(runs[alone].trunk, "") << runs[alone].name;
    EXPECT_EQ(own_tokens(runs[alone], trunk_length), runs[alone].tokens);
  }
  EXPECT_EQ(own_tokens(runs[0], trunk_length), 20 * 2 * trunk_length);
  EXPECT_EQ(branch_tokens(runs, runs[1], trunk_length),
            (std::vector<std::int64_t>{80 * 2 * trunk_length, 320 * 2 * trunk_length}));
  EXPECT_TRUE(branch_tokens(runs, runs[2], trunk_length).empty());
}

// Otherwise what trunk and branch have in common would differ.
TEST(Trunks, RunsOfAModelWarmUpAlike) {
  std::vector<SweepRun> runs{run_of("short", 1, 200), run_of("long", 1, 1000),
                             run_of("other", 2, 1000)};
  TrunkOptions o = options();
  plan_trunks(runs, o);
  EXPECT_EQ(runs[0].warmup_steps, 10);
  EXPECT_EQ(runs[1].warmup_steps, 10);
  EXPECT_EQ(runs[2].warmup_steps, 50);
  o.share = false;
  std::vector<SweepRun> apart{run_of("short", 1, 200), run_of("long", 1, 1000)};
  plan_trunks(apart, o);
  EXPECT_EQ(apart[1].warmup_steps, 10);
  EXPECT_EQ(apart[0].trunk, "");
  o.schedule.warmup_steps = 4;
  plan_trunks(apart, o);
  EXPECT_EQ(apart[0].warmup_steps, 4);
}

TEST(Trunks, WithoutAConstantPhaseThereAreNone) {
  std::vector<SweepRun> runs{run_of("short", 1, 100), run_of("long", 1, 1000)};
  TrunkOptions o = options();
  o.schedule.kind = ScheduleKind::cosine;
  plan_trunks(runs, o);
  EXPECT_EQ(runs[0].trunk, "");
}

TEST(Trunks, TwoRunsOfOneLengthShareToo) {
  std::vector<SweepRun> runs{run_of("iso", 1, 100), run_of("grid", 1, 100)};
  plan_trunks(runs, options());
  EXPECT_EQ(runs[0].trunk, "grid");
  EXPECT_EQ(runs[0].branch_step, 80);
  EXPECT_EQ(runs[1].trunk, "");
}

}  // namespace
}  // namespace fathom::scaling
