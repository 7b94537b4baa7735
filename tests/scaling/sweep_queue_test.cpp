#include "scaling/sweep_queue.h"

#include <gtest/gtest.h>

#include <numeric>

namespace fathom::scaling {
namespace {

SweepRun run_of(const std::string& name, std::int64_t tokens, const std::string& trunk = "",
                std::int64_t branch_step = 0) {
  SweepRun run;
  run.name = name;
  run.batch = 1;
  run.tokens = tokens;
  run.flops_per_token = 1;
  run.trunk = trunk;
  run.branch_step = branch_step;
  return run;
}

// A trunk with two branches, and two runs of their own.
SweepPlan small_plan() {
  SweepPlan plan;
  plan.sequence_length = 1;
  plan.runs = {run_of("alone", 150), run_of("short", 50, "trunk", 40),
               run_of("middle", 80, "trunk", 64), run_of("trunk", 130), run_of("small", 20)};
  return plan;
}

bool never(const SweepRun&) {
  return false;
}
bool always(const SweepRun&) {
  return true;
}

TEST(SweepQueue, BeginsWithWhatTakesLongest) {
  const SweepPlan plan = small_plan();
  SweepQueue queue(plan);
  std::vector<std::size_t> order;
  while (const auto next = queue.next(always)) {
    order.push_back(*next);
    queue.set(*next, RunState::running);
  }
  // The trunk counts 130 + 10 + 16.
  EXPECT_EQ(order, (std::vector<std::size_t>{3, 0, 4, 2, 1}));
  EXPECT_FALSE(queue.finished());
}

TEST(SweepQueue, OfEqualRunsTheFirstOfThePlanBegins) {
  SweepPlan plan;
  plan.sequence_length = 1;
  plan.runs = {run_of("a", 20), run_of("b", 20), run_of("c", 20)};
  EXPECT_EQ(SweepQueue(plan).next(never), 0u);
}

TEST(SweepQueue, ABranchWaitsForItsPointOrItsTrunksEnd) {
  const SweepPlan plan = small_plan();
  for (const RunState end : {RunState::done, RunState::failed}) {
    SweepQueue queue(plan);
    for (const std::size_t run : {3, 0, 4}) {
      EXPECT_EQ(queue.next(never), run);
      queue.set(run, RunState::running);
    }
    EXPECT_EQ(queue.next(never), std::nullopt);
    EXPECT_EQ(queue.next([](const SweepRun& run) { return run.name == "short"; }), 1u);
    queue.set(3, end);
    EXPECT_EQ(queue.next(never), 2u);
  }
}

TEST(SweepQueue, IsFinishedWhenNothingIsLeftToRun) {
  const SweepPlan plan = small_plan();
  SweepQueue queue(plan);
  queue.set(0, RunState::elsewhere);
  queue.set(1, RunState::done);
  queue.set(2, RunState::failed);
  queue.set(3, RunState::done);
  EXPECT_FALSE(queue.finished());
  EXPECT_EQ(queue.next(never), 4u);
  queue.set(4, RunState::running);
  EXPECT_FALSE(queue.finished());
  queue.set(4, RunState::done);
  EXPECT_TRUE(queue.finished());
  EXPECT_EQ(queue.count(RunState::done), 3u);
}

TEST(Parts, ShareOutAllRunsAndKeepTrunksWhole) {
  const SweepPlan plan = small_plan();
  std::vector<int> owners(plan.runs.size());
  for (int part = 1; part <= 2; ++part) {
    const std::vector<bool> own = runs_of_part(plan, part, 2);
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (own[i]) owners[i] += part;
    }
  }
  // 156 of the trunk and its branches; 150, and then 20.
  EXPECT_EQ(owners, (std::vector<int>{2, 1, 1, 1, 2}));
  const std::vector<bool> all = runs_of_part(plan, 1, 1);
  EXPECT_EQ(std::accumulate(all.begin(), all.end(), 0), 5);
  const std::vector<bool> none = runs_of_part(plan, 4, 4);
  EXPECT_EQ(std::accumulate(none.begin(), none.end(), 0), 0);
}

TEST(Makespan, IsThatOfTheQueue) {
  const SweepPlan plan = small_plan();
  const std::vector<double> seconds{150, 10, 16, 130, 20};
  EXPECT_EQ(makespan(plan, 1, seconds), 326);
  // Trunk to 130, then the branches or the small one; the other to 150.
  EXPECT_EQ(makespan(plan, 2, seconds), 166);
  EXPECT_EQ(makespan(plan, 9, seconds), 150);
}

}  // namespace
}  // namespace fathom::scaling
