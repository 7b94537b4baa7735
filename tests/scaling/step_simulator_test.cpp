#include "scaling/step_simulator.h"

#include <gmock/gmock.h>

#include <cmath>
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

// Two stages of one micro-batch: each computes 3 s and updates 0.5 s of 6.5 s.
TEST(StepSimulator, SharesAreOfTheWholeStep) {
  const StepTime time = simulate("pp2", 1).time;
  EXPECT_DOUBLE_EQ(time.seconds, 6.5);
  EXPECT_DOUBLE_EQ(time.update, 0.5 / 6.5);
  EXPECT_DOUBLE_EQ(time.waiting, 1 - 3.5 / 6.5);
  EXPECT_DOUBLE_EQ(time.bubble, 0.5);
  const StepTime alone = simulate("1", 1).time;
  EXPECT_DOUBLE_EQ(alone.update, 0.5 / 3.5);
  EXPECT_DOUBLE_EQ(alone.waiting, 0);
}

// By the share of the time in which the card does not wait, and by so much at most.
TEST(StepSimulator, ProductsAreFasterOnACardThatWaits) {
  const auto seconds = [](const char* name, double idle_gain, double most_gain) {
    const LayoutOptions options = layout(name);
    const TrainPlan plan =
        plan_layout(planned_run(tiny_model(8), options.parallel.dp, 64), options, gpus_of(options));
    RankStep step = uniform_stage(1);
    for (StepEvents* events : {&step.parts[0].first_forward, &step.parts[0].last_backward}) {
      events->front().products = events->front().seconds;
    }
    CardProfile card = load_card("h200");
    card.peer.latency = 0;
    card.products.idle_gain = idle_gain;
    card.products.most_gain = most_gain;
    const std::vector<RankStep> stages(static_cast<std::size_t>(options.parallel.pp), step);
    return simulate_step(plan, StageSteps(stages), Cluster(card, gpus_of(options), 8)).seconds;
  };
  EXPECT_DOUBLE_EQ(seconds("pp2", 0, 2), 6.5);
  EXPECT_NEAR(seconds("pp2", 1, 2), 6 / (6.5 / 3.5) + 0.5, 1e-9);
  EXPECT_NEAR(seconds("pp2", 0.5, 2), 6 / std::sqrt(6.5 / 3.5) + 0.5, 1e-9);
  EXPECT_NEAR(seconds("pp2", 1, 1.25), 6 / 1.25 + 0.5, 1e-9);
  EXPECT_DOUBLE_EQ(seconds("1", 1, 2), 3.5) << "one that never waits";
}

// Alike stages are recorded once: those of as many blocks, but for the first and the last.
TEST(StageSteps, OfTheFirstAndTheLastStageAreTheirOwn) {
  const Cluster cluster(load_card("h200"), 4, 4);
  const auto steps_of = [&](const char* name, std::vector<std::int64_t> layers) {
    LayoutOptions options = layout(name);
    options.parallel.stage_layers = std::move(layers);
    const TrainPlan plan = plan_layout(planned_run(tiny_model(8), 8, 64), options, 4);
    return StageSteps(plan, cluster, OperationTime(cluster.card()));
  };
  const auto seconds = [](const StepEvents& events) {
    double sum = 0;
    for (const StepEvent& event : events) sum += event.seconds;
    return sum;
  };
  for (const auto& [name, layers] :
       {std::pair{"pp4", std::vector<std::int64_t>{2, 2, 2, 2}},
        {"pp4+v2", std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 1, 1}}}) {
    const StageSteps steps = steps_of(name, layers);
    ASSERT_EQ(steps.size(), 4);
    EXPECT_EQ(&steps.of(1), &steps.of(2)) << name;
    EXPECT_NE(&steps.of(0), &steps.of(1)) << name;
    EXPECT_NE(&steps.of(3), &steps.of(1)) << name;
    EXPECT_GT(seconds(steps.of(0).parts.front().forward),
              seconds(steps.of(1).parts.front().forward))
        << "the embedding";
    EXPECT_GT(seconds(steps.of(3).parts.back().backward),
              seconds(steps.of(1).parts.back().backward))
        << "the head";
  }
  const StageSteps uneven = steps_of("pp4", {2, 3, 2, 1});
  EXPECT_NE(&uneven.of(1), &uneven.of(2));
  EXPECT_GT(seconds(uneven.of(1).parts.front().forward),
            seconds(uneven.of(2).parts.front().forward));
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

// A step of so many seconds has marks of 1, 2 or 5 and zeros, 12 and the first at most.
TEST(Timeline, HasMarksAtRoundSeconds) {
  const auto marks = [](double seconds) {
    StepTime time;
    time.seconds = seconds;
    time.spans = {{}};
    const std::string svg = timeline_svg(time, "a step");
    std::string texts;
    const std::string before = " text-anchor=\"middle\">";
    for (auto at = svg.find(before); at != svg.npos; at = svg.find(before, at + 1)) {
      const std::size_t begin = at + before.size();
      texts += (texts.empty() ? "" : " ") + svg.substr(begin, svg.find('<', begin) - begin);
    }
    return texts;
  };
  EXPECT_EQ(marks(12), "0 1 2 3 4 5 6 7 8 9 10 11 12 seconds");
  EXPECT_EQ(marks(13), "0 2 4 6 8 10 12 seconds");
  EXPECT_EQ(marks(25), "0 5 10 15 20 25 seconds");
  EXPECT_EQ(marks(0.45), "0 0.05 0.1 0.15 0.2 0.25 0.3 0.35 0.4 0.45 seconds");
}

// 1200 units for the whole step, behind 70 for the names; stages 32 apart.
TEST(Timeline, PutsEachActionAtItsTime) {
  StepTime time;
  time.seconds = 100;
  time.spans = {{{TraceLane::compute, TraceKind::forward, "F", 3, 25, 50}},
                {{TraceLane::compute, TraceKind::backward, "B", 1, 0, 1.5},
                 {TraceLane::compute, TraceKind::backward, "B", 2, 1.5, 4},
                 {TraceLane::compute, TraceKind::communication, "exchange", -1, 5, 9},
                 {TraceLane::compute, TraceKind::update, "update", -1, 90, 100}}};
  const std::string svg = timeline_svg(time, "a step");
  for (const char* box :
       {"<rect x=\"370.00\" y=\"50.0\" width=\"300.00\" height=\"26.0\" fill=\"#4c78a8\"", ">F3<",
        "<rect x=\"70.00\" y=\"82.0\" width=\"18.00\" height=\"26.0\" fill=\"#72b7b2\"", ">B2<",
        "<rect x=\"1150.00\" y=\"82.0\" width=\"120.00\" height=\"26.0\" "
        "fill=\"#e45756\""}) {
    EXPECT_THAT(svg, testing::HasSubstr(box));
  }
  EXPECT_THAT(svg, testing::Not(testing::HasSubstr(">B1<"))) << "too narrow for its name";
  EXPECT_THAT(svg, testing::Not(testing::HasSubstr("exchange")));
  EXPECT_THAT(svg, testing::HasSubstr("viewBox=\"0 0 1290 158\""));
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
