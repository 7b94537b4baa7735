// The table of a sweep's progress, as it stands.
#include "scaling/sweep_display.h"

#include <gmock/gmock.h>

namespace fathom::scaling {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

SweepRun displayed_run(const std::string& name, std::int64_t steps, const std::string& trunk = "",
                       std::int64_t branch_step = 0) {
  SweepRun run;
  run.name = name;
  run.batch = 2;
  run.tokens = steps * 2 * 5;
  run.flops_per_token = 1;
  run.trunk = trunk;
  run.branch_step = branch_step;
  return run;
}

// A trunk and its branch of its last 20 steps, and a run of its own that is another part's.
SweepPlan displayed_plan() {
  SweepPlan plan;
  plan.sequence_length = 5;
  plan.runs = {displayed_run("trunk", 200), displayed_run("branch", 100, "trunk", 80),
               displayed_run("other", 1000)};
  return plan;
}

class Display : public testing::Test {
 protected:
  std::string line(std::size_t i) { return display_.lines(queue_).at(i); }

  const SweepPlan plan_ = displayed_plan();
  SweepQueue queue_{plan_};
  SweepDisplay display_{plan_, {true, true, false}};
};

TEST_F(Display, CountsTheRunsOfThisPart) {
  queue_.set(2, RunState::elsewhere);
  EXPECT_THAT(display_.lines(queue_), ElementsAre("0 of 2 runs done, 0 running, 2 waiting"));
  queue_.set(0, RunState::done);
  EXPECT_THAT(display_.lines(queue_), ElementsAre("1 of 2 runs done, 0 running, 1 waiting"));
  queue_.set(1, RunState::failed);
  EXPECT_THAT(display_.lines(queue_),
              ElementsAre("1 of 2 runs done, 0 running, 0 waiting, 1 failed"));
}

TEST_F(Display, HasALineOfEachRunThatIsUnderWay) {
  queue_.set(0, RunState::running);
  display_.begin(0, 0);
  EXPECT_EQ(line(1), "  trunk  step 0/200");
  display_.step(0, 7, 2.5);
  display_.begin(1, 80);
  const std::vector<std::string> lines = display_.lines(queue_);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], "  trunk   step 7/200  loss 2.5000");
  EXPECT_EQ(lines[2], "  branch  step 80/100");
  display_.end(0);
  EXPECT_EQ(display_.lines(queue_).size(), 2u);
  EXPECT_EQ(line(1), "  branch  step 80/100");
  display_.end(0);  // of one that has ended nothing more is told
  EXPECT_EQ(display_.lines(queue_).size(), 2u);
}

// Which is not known before this process has trained anything.
TEST_F(Display, TellsTheTimeThatIsLeft) {
  queue_.set(2, RunState::elsewhere);
  queue_.set(0, RunState::running);
  display_.begin(0, 60);  // resumed there
  EXPECT_THAT(line(0), Not(HasSubstr("left")));
  display_.step(0, 61, 2);
  EXPECT_THAT(line(0), MatchesRegex("0 of 2 runs done, 1 running, 1 waiting, .* left"));
  display_.step(0, 200, 2);
  EXPECT_THAT(line(0), HasSubstr(" left")) << "the branch";
  display_.end(0);
  queue_.set(0, RunState::done);
  EXPECT_THAT(line(0), HasSubstr(" left"));
}

// What its trunk has trained is no part of a branch's own work.
TEST_F(Display, ABranchHasItsOwnStepsLeft) {
  queue_.set(2, RunState::elsewhere);
  queue_.set(0, RunState::done);
  queue_.set(1, RunState::running);
  display_.begin(1, 80);
  for (const std::int64_t step : {81, 90, 99}) {
    display_.step(1, step, 2);
    EXPECT_THAT(line(0), HasSubstr(" left")) << step;
  }
  display_.step(1, 100, 2);
  EXPECT_THAT(line(0), Not(HasSubstr("left")));
}

TEST_F(Display, RunsOfOtherPartsAndThoseThatHaveEndedLeaveNothing) {
  display_.begin(0, 0);
  display_.step(0, 200, 2);
  display_.end(0);
  queue_.set(0, RunState::done);
  queue_.set(2, RunState::elsewhere);
  for (const RunState ended : {RunState::done, RunState::failed}) {
    queue_.set(1, ended);
    EXPECT_THAT(line(0), Not(HasSubstr("left")));
  }
}

// The table itself comes from time to time where stderr is no terminal, and not at the start.
TEST_F(Display, WritesAtOnceWhatItIsTold) {
  testing::internal::CaptureStderr();
  display_.draw(queue_);
  display_.tell("one");
  display_.tell("two");
  display_.draw(queue_);
  display_.draw(queue_);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "one\ntwo\n");
}

}  // namespace
}  // namespace fathom::scaling
