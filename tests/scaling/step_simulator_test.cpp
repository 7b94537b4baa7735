#include "scaling/step_simulator.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "scaling/planned.h"
#include "scaling/timeline.h"
#include "train/trace_summary.h"

namespace fathom::test {
namespace {

using namespace scaling;

StepEvent compute(double seconds) {
  StepEvent event;
  event.seconds = seconds;
  return event;
}

// A stage of `parts` parts that take 1 s forward and 2 s backward together, and 0.5 s to update.
RankStep uniform_stage(int parts) {
  RankStep step;
  const double share = 1.0 / parts;
  PartStep part;
  part.forward = part.first_forward = {compute(share)};
  part.backward = part.last_backward = {compute(2 * share)};
  step.parts.assign(static_cast<std::size_t>(parts), part);
  step.update = {compute(0.5)};
  return step;
}

struct Simulated {
  TrainPlan plan;
  StepTime time;
};

// Of uniform stages; `change` may alter each of them. Messages take no time.
Simulated simulate(const std::string& name, std::int64_t micro_batches,
                   const std::function<void(int, RankStep&)>& change = {},
                   Picture picture = Picture::none) {
  const LayoutOptions options = layout(name);
  const std::int64_t batch = micro_batches * options.parallel.dp;
  const TrainPlan plan =
      plan_layout(planned_run(tiny_model(8), batch, 64), options, gpus_of(options));
  std::vector<RankStep> stages(static_cast<std::size_t>(options.parallel.pp),
                               uniform_stage(plan.parallel.virtual_stages));
  for (std::size_t s = 0; change && s < stages.size(); ++s) change(static_cast<int>(s), stages[s]);
  CardProfile card = load_card("h200");
  card.peer.latency = 0;
  const Cluster cluster(card, gpus_of(options), 8);
  return {plan, simulate_step(plan, StageSteps(stages), cluster, picture)};
}

TEST(StepSimulator, OneStageTakesTheSumOfItsActions) {
  const Simulated s = simulate("1", 5);
  EXPECT_DOUBLE_EQ(s.time.seconds, 5 * 3 + 0.5);
  EXPECT_EQ(s.time.bubble, 0);
}

TEST(StepSimulator, UniformStagesHaveTheSchedulesOwnBubble) {
  for (const char* name : {"pp2", "pp4", "pp4+gpipe", "pp4+v2", "pp2+v4"}) {
    const Simulated s = simulate(name, 8);
    EXPECT_NEAR(s.time.bubble, ideal_bubble(s.plan.parallel, 8), 1e-9) << name;
    EXPECT_NEAR(s.time.seconds, 8 * 3 / (1 - s.time.bubble) + 0.5, 1e-9) << name;
  }
}

TEST(StepSimulator, ASlowStageHoldsAllBack) {
  const Simulated s = simulate("pp2", 8, [](int stage, RankStep& step) {
    if (stage == 1) step.parts.front().backward = step.parts.front().last_backward = {compute(4)};
  });
  // The first waits for the last one's last backward, which follows 8 of 5 s and a forward of 1 s.
  EXPECT_DOUBLE_EQ(s.time.seconds, 1 + 8 * 5 + 2 + 0.5);
}

TEST(StepSimulator, MessagesTakeTime) {
  const Simulated s = simulate("pp2", 1, [](int, RankStep& step) {
    step.message_bytes = std::size_t(340e9 / 4);  // a quarter of a second
    step.send_seconds = 0.125;
  });
  EXPECT_NEAR(s.time.seconds, 2 * 3 + 2 * (0.25 + 0.125) + 0.5, 1e-9);
}

TEST(StepSimulator, SumsOfGradientsThatAreNotHiddenAreExposed) {
  const Simulated s = simulate("dp2", 4, [](int, RankStep& step) {
    step.parts.front().last_backward = {
        compute(1), {StepEvent::Kind::submit, 0, 1, 1.5, 0, Link::node, 0}, compute(1)};
    step.finish = {{StepEvent::Kind::wait, 0, 1, 0, 0, Link::node, 0}};
  });
  EXPECT_DOUBLE_EQ(s.time.seconds, 4 * 3 + 0.5 + 0.5);
  EXPECT_DOUBLE_EQ(s.time.exposed, 0.5 / s.time.seconds);
}

// The last stage waits for the first one's last backward, too, which takes 2 s.
TEST(StepSimulator, WhatIsExposedIsTheMeanOfTheStages) {
  const Simulated s = simulate("pp2", 4, [](int, RankStep& step) {
    step.update = {{StepEvent::Kind::exchange, 0, 0, 0.75, 0, Link::node, 0}};
  });
  EXPECT_DOUBLE_EQ(s.time.exposed, (0.75 + 2.75) / 2 / s.time.seconds);
}

TEST(StepSimulator, AFirstForwardWaitsForItsWeights) {
  const Simulated s = simulate("dp2", 4, [](int, RankStep& step) {
    step.gather = {{StepEvent::Kind::submit, 0, 1, 0.25, 0, Link::node, 0}};
    step.parts.front().first_forward = {{StepEvent::Kind::wait, 0, 1, 0, 0, Link::node, 0},
                                        compute(1)};
  });
  EXPECT_DOUBLE_EQ(s.time.seconds, 0.25 + 4 * 3 + 0.5);
}

TEST(StepSimulator, AllStagesUpdateWhenTheNormIsKnown) {
  const Simulated s = simulate(
      "pp2", 2,
      [](int stage, RankStep& step) {
        if (stage == 1) step.update = {compute(4)};
      },
      Picture::actions);
  EXPECT_DOUBLE_EQ(s.time.seconds, 9 + 4);
  ASSERT_EQ(s.time.spans.size(), 2);
  for (const auto& spans : s.time.spans) {
    EXPECT_EQ(spans.back().kind, TraceKind::update);
    EXPECT_EQ(spans.back().begin, 9);
  }
}

TEST(Timeline, DrawsEachStagesActions) {
  const StepTime time = simulate("pp2", 2, {}, Picture::actions).time;
  const std::string svg = timeline_svg(time, "a step");
  EXPECT_THAT(svg, testing::StartsWith("<svg "));
  for (const char* text : {"a step", "stage 0", "stage 1", ">F0<", ">B1<", "seconds"}) {
    EXPECT_THAT(svg, testing::HasSubstr(text));
  }
}

// A card's profile may have any name.
TEST(Timeline, EscapesItsTitle) {
  StepTime time;
  time.seconds = 1;
  time.spans = {{}};
  EXPECT_THAT(timeline_svg(time, "dp2 on 2 <mine> & co"),
              testing::HasSubstr(">dp2 on 2 &lt;mine&gt; &amp; co</text>"));
}

TEST(Timeline, WritesATraceOfEachStage) {
  const StepTime time = simulate("pp2", 2, {}, Picture::everything).time;
  const std::string trace = timeline_trace(time);
  EXPECT_THAT(trace, testing::HasSubstr(R"("name":"stage 1")"));
  EXPECT_THAT(trace, testing::HasSubstr(R"("name":"B 1","cat":"backward","pid":1)"));
  // A viewer reads it as one list of JSON: of each stage a process name and two lanes, then spans.
  for (const char* layout : {"1", "pp2", "pp4"}) {
    const StepTime step = simulate(layout, 2, {}, Picture::everything).time;
    std::size_t events = 0;
    for (const auto& spans : step.spans) events += 3 + spans.size();
    EXPECT_EQ(nlohmann::json::parse(timeline_trace(step)).size(), events) << layout;
  }
}

}  // namespace
}  // namespace fathom::test
