// The sums of a trace from spans that are easy to count by hand, and the trace of a run.
#include "train/trace_summary.h"

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "comm/thread_ranks.h"
#include "io/temp_dir.h"
#include "train/rank_config.h"
#include "train/run_trace.h"

namespace fathom {
namespace {

using test::TempDir;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr auto compute = TraceLane::compute, beside = TraceLane::communication;

TEST(TraceSums, CountComputingAndWhatItWaitsFor) {
  using enum TraceKind;
  const TraceSums sums =
      sum_trace({{compute, communication, "sum", -1, -1, -0.5},  // before all work
                 {compute, communication, "sum", -1, 2, 3},      // within a forward
                 {compute, forward, "F", 0, 1, 4},
                 {compute, wait, "wait", -1, 4, 5},
                 {beside, communication, "sum", -1, 5, 5.25},
                 {compute, join, "wait", -1, 8, 9},  // to the very end of a backward
                 {compute, backward, "B", 0, 5, 9},
                 {compute, pipeline, "step", -1, 0, 9},
                 {compute, update, "update", -1, 10, 12},
                 {compute, forward, "F", 0, 14, 20},
                 {compute, pipeline, "step", -1, 14, 20}},
                100);
  EXPECT_DOUBLE_EQ(sums.seconds, 21);
  EXPECT_DOUBLE_EQ(sums.compute, 3 + 4 + 2 + 6 - 1 - 1);
  EXPECT_DOUBLE_EQ(sums.exposed, 0.5 + 1 + 1);
  EXPECT_DOUBLE_EQ(sums.joined, 1);
  EXPECT_DOUBLE_EQ(sums.background, 0.25);
  EXPECT_DOUBLE_EQ(sums.uncovered, 0);
  ASSERT_EQ(sums.runs.size(), 2u);
  EXPECT_DOUBLE_EQ(sums.runs[0].begin, 100);
  EXPECT_DOUBLE_EQ(sums.runs[0].end, 109);
  EXPECT_DOUBLE_EQ(sums.runs[0].busy, 7);
  EXPECT_DOUBLE_EQ(sums.runs[1].begin, 114);
  EXPECT_DOUBLE_EQ(sums.runs[1].end, 120);
  EXPECT_DOUBLE_EQ(sums.runs[1].busy, 6);
}

// Two queues exchange from 0 to 4 and from 2 to 6, then one from 8 to 10: 8 seconds in which
// anything is under way, of which the computing waits from 1 to 3 and from 5 to 9.
TEST(TraceSums, CountWhatTheComputingWaitsForOfTheExchangesBesideIt) {
  using enum TraceKind;
  const std::vector<Trace::Span> spans{
      {beside, communication, "sum", -1, 2, 6},  {beside, communication, "sum", -1, 0, 4},
      {beside, communication, "sum", -1, 8, 10}, {compute, join, "wait", -1, 5, 9},
      {compute, join, "wait", -1, 1, 3},         {compute, join, "wait", -1, 10, 11}};
  const TraceSums sums = sum_trace(spans);
  EXPECT_DOUBLE_EQ(sums.seconds, 11);
  EXPECT_DOUBLE_EQ(sums.background, 8);
  EXPECT_DOUBLE_EQ(sums.uncovered, 2 + 1 + 1);
  EXPECT_DOUBLE_EQ(sums.joined, 2 + 4 + 1);
  EXPECT_DOUBLE_EQ(sums.exposed, 7);
  EXPECT_DOUBLE_EQ(sums.compute, 0);
}

TEST(TraceSums, OfNothingAreZero) {
  const TraceSums sums = sum_trace({});
  EXPECT_EQ(sums.seconds, 0);
  EXPECT_EQ(sums.compute, 0);
  EXPECT_TRUE(sums.runs.empty());
}

// In the first step two stages work 6 of 12 seconds each, in the second all of 10.
TEST(Bubble, IsTheMeanIdleShareOfTheStepsWindows) {
  using Runs = std::vector<PipelineRun>;
  const Runs first{{0, 10, 6}, {20, 30, 10}}, second{{2, 12, 6}, {20, 30, 10}};
  EXPECT_DOUBLE_EQ(measured_bubble({first, second}), 0.25);
  EXPECT_DOUBLE_EQ(measured_bubble({second, first}), 0.25);
  EXPECT_EQ(measured_bubble({{}, {}}), 0);
  EXPECT_EQ(test::runtime_error_of([] {
              const Runs one(1), two(2), three(3);
              measured_bubble({one, two, three});
            }),
            "stages traced 2 and 1 steps");
}

TEST(Bubble, OfUniformStagesFollowsFromTheirNumber) {
  ParallelPlan plan;
  EXPECT_EQ(ideal_bubble(plan, 6), 0);
  plan.layout.pp = 4;
  EXPECT_DOUBLE_EQ(ideal_bubble(plan, 6), 3.0 / (6 + 3));
  plan.virtual_stages = 2;
  EXPECT_DOUBLE_EQ(ideal_bubble(plan, 6), 3.0 / (2 * 6 + 3));
}

// Threads have one clock; a rank's own time since the machine's start would be far from it.
TEST(ClockOffset, OfThreadsIsNone) {
  run_thread_ranks(3, {60}, [](Communicator& world) {
    const double offset = clock_offset(world);
    if (world.rank() == 0) {
      EXPECT_EQ(offset, 0);
    } else {
      EXPECT_LT(std::abs(offset), 1);
    }
  });
}

// Rank 0 answers what the other asks then, not what it will ask.
TEST(ClockOffset, OfARankThatComesLateIsNoneEither) {
  using namespace std::chrono_literals;
  run_thread_ranks(2, {60}, [](Communicator& world) {
    if (world.rank() == 1) std::this_thread::sleep_for(300ms);
    EXPECT_LT(std::abs(clock_offset(world)), 0.1);
  });
}

TrainPlan plan_of(const TempDir& dir, int ranks, int stages = 1) {
  TrainConfig config = test::rank_config(dir, "run", 2, 4);
  config.parallel.pp = stages;
  return resolve(config, {256, 10000}, ranks);
}

// Steps [first, last) of a forward each, noted as a run notes its own.
void take_steps(RunTrace& trace, Context& context, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step < last; ++step) {
    trace.before_step(context);
    const TraceSpan whole(context, TraceKind::pipeline, "step");
    const TraceSpan forward(context, TraceKind::forward, "F", int(step));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST(RunTrace, NotesTenStepsAfterTwo) {
  const TempDir dir;
  const TrainPlan plan = plan_of(dir, 1);
  const OneRank rank(plan.config.model);
  RunTrace trace(plan, rank.groups, dir / "trace");
  Context context(cpu_device, 0);
  trace.finish(context);  // nothing has begun
  EXPECT_TRUE(std::filesystem::is_empty(dir / "trace"));
  take_steps(trace, context, 0, 2);
  EXPECT_EQ(context.trace, nullptr);
  take_steps(trace, context, 2, 11);
  EXPECT_NE(context.trace, nullptr);
  EXPECT_FALSE(trace.complete());
  take_steps(trace, context, 11, 12);
  EXPECT_TRUE(trace.complete());
  testing::internal::CaptureStderr();
  trace.finish(context);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(context.trace, nullptr);
  const std::string line = "trace of 10 steps in " + (dir / "trace") + ": compute ";
  ASSERT_THAT(log, HasSubstr(line));
  const double share = std::stod(log.substr(log.find(line) + line.size()));
  EXPECT_GT(share, 50);
  EXPECT_LE(share, 100);
  EXPECT_THAT(log, HasSubstr(" %, exposed communication 0.0 %"));
  EXPECT_THAT(log, Not(HasSubstr("bubble"))) << "of one rank there is none";
  // Of one rank the whole trace is its own.
  const std::string own = test::read_file(dir / "trace/rank-00000.json");
  EXPECT_EQ(test::read_file(dir / "trace/trace.json"), own);
  EXPECT_THAT(own, HasSubstr("\"name\":\"F 2\""));
  EXPECT_THAT(own, HasSubstr("\"name\":\"F 11\""));
  EXPECT_THAT(own, Not(HasSubstr("\"name\":\"F 1\"")));

  std::filesystem::remove(dir / "trace/trace.json");
  testing::internal::CaptureStderr();
  trace.finish(context);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "once";
  EXPECT_FALSE(std::filesystem::exists(dir / "trace/trace.json"));
}

// The events of each rank, in their order, in one file; what two stages do at once is no bubble.
TEST(RunTrace, PutsTheRanksTogether) {
  const TempDir dir;
  const TrainPlan plan = plan_of(dir, 2, 2);
  testing::internal::CaptureStderr();
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    const RankGroups ranks(world, plan.parallel, plan.config.model);
    RunTrace trace(plan, ranks, dir / "trace");
    Context context(cpu_device, 0);
    take_steps(trace, context, 0, 12);
    trace.finish(context);
  });
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("trace of 10 steps in "));
  EXPECT_THAT(log, HasSubstr(" % (uniform stages: 11.1 %)\n"))
      << "one of 8 and one: 8 micro-batches";
  EXPECT_THAT(log, Not(HasSubstr("hidden"))) << "nothing ran beside";
  const std::string begin = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n", end = "\n]}\n";
  std::string events;
  for (const char* name : {"trace/rank-00000.json", "trace/rank-00001.json"}) {
    const std::string text = test::read_file(dir / name);
    ASSERT_TRUE(text.starts_with(begin) && text.ends_with(end));
    events += (events.empty() ? "" : ",\n") +
              text.substr(begin.size(), text.size() - begin.size() - end.size());
  }
  EXPECT_EQ(test::read_file(dir / "trace/trace.json"), begin + events + end);
  EXPECT_THAT(events, HasSubstr("rank 1 (pp 1, dp 0, tp 0)"));
}

// What is traced of two ranks that take three steps, and then `more`.
template <class More>
std::string trace_log(More more) {
  const TempDir dir;
  const TrainPlan plan = plan_of(dir, 2);
  testing::internal::CaptureStderr();
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    const RankGroups ranks(world, plan.parallel, plan.config.model);
    RunTrace trace(plan, ranks, dir / "trace");
    Context context(cpu_device, 0);
    take_steps(trace, context, 0, 3);
    Context other(cpu_device, 0);
    other.trace = context.trace;
    other.lane = TraceLane::communication;
    more(context, other);
    trace.finish(context);
  });
  return testing::internal::GetCapturedStderr();
}

double figure_after(const std::string& log, const std::string& words) {
  EXPECT_THAT(log, HasSubstr(words));
  const std::size_t at = log.find(words);
  return at == std::string::npos ? -1 : std::stod(log.substr(at + words.size()));
}

TEST(RunTrace, SaysHowMuchCommunicationIsHidden) {
  using std::this_thread::sleep_for;
  constexpr std::chrono::milliseconds while_it_runs(5);
  const std::string hidden = "; of the communication beside the computing ";
  const std::string exposed = "exposed communication ";
  const std::string none_waited = trace_log([&](Context&, Context& other) {
    const TraceSpan sum(other, TraceKind::communication, "sum");
    sleep_for(while_it_runs);
  });
  EXPECT_NEAR(figure_after(none_waited, hidden), 100, 0.1);
  EXPECT_NEAR(figure_after(none_waited, exposed), 0, 0.1);
  const std::string all_waited = trace_log([&](Context& context, Context& other) {
    const TraceSpan wait(context, TraceKind::join, "wait");
    const TraceSpan sum(other, TraceKind::communication, "sum");
    sleep_for(while_it_runs);
  });
  EXPECT_NEAR(figure_after(all_waited, hidden), 0, 0.1);
  EXPECT_GT(figure_after(all_waited, exposed), 1);
  const std::string half_waited = trace_log([&](Context& context, Context& other) {
    const TraceSpan sum(other, TraceKind::communication, "sum");
    sleep_for(while_it_runs);
    const TraceSpan wait(context, TraceKind::join, "wait");
    sleep_for(while_it_runs);
  });
  EXPECT_GT(figure_after(half_waited, hidden), 5);
  EXPECT_LT(figure_after(half_waited, hidden), 95);
}

}  // namespace
}  // namespace fathom
