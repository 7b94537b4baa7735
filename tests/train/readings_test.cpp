// What runs that continue each other have read of their texts, and where the next one begins.
#include <gmock/gmock.h>

#include "data/sample_data.h"
#include "train/branch.h"

namespace fathom {
namespace {

using testing::ElementsAre;

// 3 of 4 samples are windows of "a".
TrainingState state_at(std::int64_t next_sample, std::vector<SourceReading> before = {},
                       std::int64_t branched_at = 0) {
  TrainingState state;
  state.data = DataState{next_sample, 0, 24, false, {{"a", 3, 0, 0, 11}, {"b", 1, 0, 0, 12}}};
  if (!before.empty()) state.branch = BranchState{"x", 0, 0, branched_at, 1, std::move(before)};
  return state;
}

TEST(Readings, AreTheTurnsOfEachSource) {
  EXPECT_THAT(readings_until(state_at(32)),
              ElementsAre(SourceReading{"a", 11, 24, 24}, SourceReading{"b", 12, 24, 8}));
  EXPECT_TRUE(readings_until(state_at(0)).empty());
}

// A run that continues one which continued another.
TEST(Readings, AddUpOverRuns) {
  const std::vector<SourceReading> first = readings_until(state_at(32));
  const std::vector<SourceReading> second = readings_until(state_at(48, first, 32));
  EXPECT_THAT(second, ElementsAre(SourceReading{"a", 11, 24, 36}, SourceReading{"b", 12, 24, 12}));
  const std::vector<SourceReading> third = readings_until(state_at(52, second, 48));
  EXPECT_THAT(third, ElementsAre(SourceReading{"a", 11, 24, 39}, SourceReading{"b", 12, 24, 13}));
  EXPECT_EQ(readings_until(state_at(52, third, 52)), third) << "nothing was read since";
}

TEST(Readings, AreOfTheSameTextInTheSameWindows) {
  const std::vector<SourceReading> before = {
      {"a", 99, 24, 1}, {"a", 11, 32, 2}, {"c", 11, 24, 3}, {"b", 12, 24, 4}};
  EXPECT_THAT(readings_until(state_at(40, before, 32)),
              ElementsAre(before[0], before[1], before[2], SourceReading{"b", 12, 24, 6},
                          SourceReading{"a", 11, 24, 6}));
}

TEST(Readings, AreWhereTheSamplerBegins) {
  const test::TempDir dir;
  const auto data = test::sample_data(dir);
  TrainPlan plan;
  plan.config.train.sequence_length = 24;
  EXPECT_EQ(sampler_start(plan, *data).first_sample, 0);
  EXPECT_TRUE(sampler_start(plan, *data).read.empty());
  const std::uint64_t a = data->sources[0].train.checksum(), b = data->sources[1].train.checksum();
  plan.branch = BranchState{"x", 0, 0, 7, 1, {{"b", b, 24, 5}, {"a", a + 1, 24, 6}}};
  EXPECT_EQ(sampler_start(plan, *data).first_sample, 7);
  EXPECT_THAT(sampler_start(plan, *data).read, ElementsAre(0, 5));
  plan.branch->read.push_back({"a", a, 24, 9});
  EXPECT_THAT(sampler_start(plan, *data).read, ElementsAre(9, 5));
  plan.config.train.sequence_length = 25;
  EXPECT_THAT(sampler_start(plan, *data).read, ElementsAre(0, 0));
}

// Losses of other samples are another run's, but what was skipped stays skipped.
TEST(Readings, GuardsGoOnWithTheSameData) {
  TrainingState state = state_at(32);
  state.guard = GuardState{2.5, 0.5, 30, 4, 1};
  RunIdentity run;
  run.data = *state.data;
  run.data.next_sample = 0;  // an identity has no position
  const SpikeGuard::State same = guard_after(state, run);
  EXPECT_EQ(same.mean, 2.5);
  EXPECT_EQ(same.variance, 0.5);
  EXPECT_EQ(same.seen, 30);
  EXPECT_EQ(same.skipped, 4);
  EXPECT_EQ(same.consecutive, 1);
  ++run.data.sample_order;
  const SpikeGuard::State anew = guard_after(state, run);
  EXPECT_EQ(anew.mean, 0);
  EXPECT_EQ(anew.seen, 0);
  EXPECT_EQ(anew.skipped, 4);
  EXPECT_EQ(anew.consecutive, 0);
}

// Of a run's phases the one counts in which it is, not those to come.
TEST(Readings, GuardsGoOnWithinAPhase) {
  TrainingState state = state_at(32);
  state.guard = GuardState{2.5, 0.5, 30, 4, 1};
  state.data->phases = {{10, 0, 5, {}}};
  RunIdentity run;
  run.data = *state.data;
  run.data.phases.push_back({50, 0, 6, {}});
  EXPECT_EQ(guard_after(state, run).seen, 30);
  run.data.phases[1].first_sample = 32;
  EXPECT_EQ(guard_after(state, run).seen, 0) << "the next sample is of the second";
}

}  // namespace
}  // namespace fathom
