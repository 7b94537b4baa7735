#include "parallel/pipeline_schedule.h"

#include <gtest/gtest.h>

#include "io/temp_dir.h"

namespace fathom {
namespace {

std::vector<std::vector<Action>> all_stages(PipelineSchedule kind, const PipelineShape& shape) {
  std::vector<std::vector<Action>> stages;
  for (int s = 0; s < shape.stages; ++s) stages.push_back(schedule(kind, s, shape));
  return stages;
}

std::string name(const PipelineShape& shape) {
  return std::to_string(shape.stages) + " stages, " + std::to_string(shape.micro_batches) +
         " micro-batches, " + std::to_string(shape.virtual_stages) + " parts";
}

TEST(PipelineSchedule, EndsForAllSizesWithTheMemoryItPromises) {
  for (int p = 1; p <= 16; ++p) {
    for (int m = 1; m <= 64; ++m) {
      const PipelineShape shape{p, m, 1};
      const auto gpipe = all_stages(PipelineSchedule::gpipe, shape);
      const auto alternating = all_stages(PipelineSchedule::one_f_one_b, shape);
      ASSERT_EQ(check_schedule(gpipe, shape), "") << name(shape);
      ASSERT_EQ(check_schedule(alternating, shape), "") << name(shape);
      for (int s = 0; s < p; ++s) {
        const auto stage = static_cast<std::size_t>(s);
        ASSERT_EQ(in_flight(gpipe[stage]), m) << name(shape);
        // By the stages behind it, not by the micro-batches.
        ASSERT_EQ(in_flight(alternating[stage]), std::min(m, p - s)) << name(shape);
      }
    }
  }
}

TEST(PipelineSchedule, InterleavedEndsForAllSizesWithTheMemoryItPromises) {
  for (int p = 1; p <= 16; ++p) {
    for (int m = p; m <= 64; m += p) {
      for (int v = 1; v <= 4; ++v) {
        const PipelineShape shape{p, m, v};
        const auto stages = all_stages(PipelineSchedule::interleaved, shape);
        ASSERT_EQ(check_schedule(stages, shape), "") << name(shape);
        for (int s = 0; s < p; ++s) {
          const int warmup = v == 1 ? p - 1 - s : 2 * (p - 1 - s) + (v - 1) * p;
          ASSERT_EQ(in_flight(stages[static_cast<std::size_t>(s)]), std::min(m * v, warmup + 1))
              << name(shape);
        }
      }
    }
  }
}

TEST(PipelineSchedule, TheCheckFindsDeadlocksAndGaps) {
  const PipelineShape shape{2, 2, 1};
  auto stages = all_stages(PipelineSchedule::one_f_one_b, shape);
  auto broken = stages;
  // Stage 0 wants a gradient before it has sent what that comes from.
  std::swap(broken[0][1], broken[0][2]);
  std::swap(broken[1][0], broken[1][2]);
  EXPECT_EQ(check_schedule(broken, shape),
            "stage 0 waits for ever before backward of micro-batch 0, part 0");
  broken = stages;
  broken[1].pop_back();
  EXPECT_NE(check_schedule(broken, shape), "");
  broken = stages;
  broken[1][3] = broken[1][1];
  EXPECT_EQ(check_schedule(broken, shape),
            "stage 1: backward of micro-batch 0, part 0 twice or out of range");
}

TEST(PipelineSchedule, TheCheckFindsActionsThatAreMissingOrOutOfRange) {
  const PipelineShape shape{2, 3, 2};
  const auto stages = all_stages(PipelineSchedule::interleaved, {2, 4, 2});
  EXPECT_EQ(check_schedule(stages, {2, 4, 2}), "");
  auto broken = stages;
  broken[0].pop_back();
  EXPECT_EQ(check_schedule(broken, {2, 4, 2}), "stage 0 has 15 actions instead of 16");
  using enum Action::Kind;
  for (const Action& action :
       {Action{forward, -1, 0}, {forward, 3, 0}, {forward, 0, -1}, {forward, 0, 2}}) {
    broken.assign(2, {});
    broken[0] = {{forward, 0, 0}, action};
    EXPECT_EQ(check_schedule(broken, shape),
              "stage 0: forward of micro-batch " + std::to_string(action.micro_batch) + ", part " +
                  std::to_string(action.chunk) + " twice or out of range");
  }
}

TEST(PipelineSchedule, RefusesWhatIsNone) {
  struct Case {
    PipelineSchedule kind;
    int stage;
    PipelineShape shape;
    const char* message;
  };
  using enum PipelineSchedule;
  const char* const parts = "a schedule of 2 parts a stage for 3 micro-batches on 2 stages";
  for (const Case& c : {Case{gpipe, -1, {2, 2, 1}, "stage -1 of 2"},
                        {gpipe, 2, {2, 2, 1}, "stage 2 of 2"},
                        {gpipe, 1, {2, 0, 1}, "stage 1 of 2"},
                        {gpipe, 0, {2, 3, 2}, parts},
                        {one_f_one_b, 0, {2, 3, 2}, parts},
                        {interleaved, 0, {2, 3, 2}, parts}}) {
    EXPECT_EQ(test::runtime_error_of([&] { schedule(c.kind, c.stage, c.shape); }), c.message);
  }
}

TEST(PipelineSchedule, OneForwardOneBackwardIsInThisOrder) {
  using enum Action::Kind;
  const std::vector<Action> expected = {{forward, 0}, {forward, 1},  {backward, 0},
                                        {forward, 2}, {backward, 1}, {backward, 2}};
  EXPECT_EQ(schedule(PipelineSchedule::one_f_one_b, 1, {3, 3, 1}), expected);
}

}  // namespace
}  // namespace fathom
