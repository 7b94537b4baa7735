// What `fathom plan` prints of figures that all differ: each in its column and under its key.
#include "scaling/plan_report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "scaling/flops.h"
#include "scaling/planned.h"

namespace fathom::test {
namespace {

using namespace scaling;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

// 512 tokens a step of half a second: 1024 tokens/s, and two days for all.
class PlanReports : public testing::Test {
 protected:
  PlanReports() {
    card_.name = "card";
    card_.memory_gib = 80;
    card_.peak_tflops = 100;
    run_ = planned_run(tiny_model(8), 8, 64);
    run_.tokens = std::int64_t{1024} * 86400 * 2;
    TrainPlan plan = plan_layout(run_, layout("pp2"), 2);
    StepTime time;
    time.seconds = 0.5;
    time.bubble = 0.125;
    time.exposed = 0.25;
    time.waiting = 0.375;
    time.update = 0.0625;
    MemoryTable table(cpu_device);
    table.add("weights", std::size_t{1} << 30);
    table.add("the rest", std::size_t{2} << 30);
    layouts_.push_back({std::move(plan), time, {1, table}});
  }

  CardProfile card_;
  PlannedRun run_;
  std::vector<FoundLayout> layouts_;
  FailureCost failures_{7, 3, {2.5, 3.5}, 0.125};
};

TEST_F(PlanReports, JsonHasEachFigureUnderItsKey) {
  const Cluster cluster(card_, 4, 2);
  const Json json = plan_json({run_, cluster, layouts_, failures_});
  EXPECT_EQ(json.at("gpu"), "card");
  EXPECT_EQ(json.at("gpus"), 4);
  EXPECT_EQ(json.at("gpus_per_node"), 2);
  EXPECT_EQ(json.at("parameters"), count_parameters(run_.model));
  EXPECT_EQ(json.at("tokens"), 1024 * 86400 * 2);
  EXPECT_EQ(json.at("sequence_length"), 64);
  EXPECT_EQ(json.at("global_batch"), 8);
  EXPECT_EQ(json.at("with_failures").dump(),
            R"({"days":3.0,"days_low":2.5,"days_high":3.5,"failures":7.0,"lost_share":0.125})");
  const Json& one = json.at("layouts").at(0);
  EXPECT_EQ(one.at("pp"), 2);
  EXPECT_EQ(one.at("dp"), 1);
  EXPECT_EQ(one.at("tp"), 1);
  EXPECT_EQ(one.at("sequence_parallel"), false);
  EXPECT_EQ(one.at("sequence_pieces"), 1);
  EXPECT_EQ(one.at("schedule"), "1f1b");
  EXPECT_EQ(one.at("virtual_stages"), 1);
  EXPECT_EQ(one.at("micro_batch"), 1);
  EXPECT_EQ(one.at("micro_batches"), 8);
  EXPECT_EQ(one.at("recompute"), "none");
  EXPECT_EQ(one.at("step_seconds"), 0.5);
  EXPECT_EQ(one.at("tokens_per_second"), 1024);
  const double flops = layouts_[0].plan.flops_per_token, m = model_flops(run_.model, 64);
  ASSERT_NE(flops, m);
  EXPECT_NEAR(one.at("mfu").get<double>(), 512 * flops / 100e12, 1e-15);
  EXPECT_NEAR(one.at("model_tflops_per_gpu").get<double>(), 512 * m / 1e12, 1e-15);
  EXPECT_EQ(one.at("bubble"), 0.125);
  EXPECT_EQ(one.at("exposed"), 0.25);
  EXPECT_EQ(one.at("waiting"), 0.375);
  EXPECT_EQ(one.at("update"), 0.0625);
  EXPECT_NEAR(one.at("days").get<double>(), 2, 1e-12);
  EXPECT_NEAR(one.at("gpu_hours").get<double>(), 96, 1e-9);
  EXPECT_EQ(one.at("stage_of_fullest_rank"), 1);
  EXPECT_EQ(one.at("bytes"), std::size_t{3} << 30);
  EXPECT_EQ(one.at("memory").dump(), R"({"weights":1073741824,"the rest":2147483648})");
  EXPECT_EQ(one.at("stage_layers").dump(), "[4,4]");
}

TEST_F(PlanReports, TextHasEachFigureInItsColumn) {
  const Cluster cluster(card_, 4, 2);
  const std::string text = plan_text({run_, cluster, layouts_, failures_});
  EXPECT_THAT(text, HasSubstr("tokens on 4 card in 2 nodes; 8 sequences of 64 a step"));
  EXPECT_THAT(text, HasSubstr("layout micro recompute   step s  tokens/s  MFU %   by M bubble "
                              "exposed     GiB     days  GPU-hours\n"));
  EXPECT_THAT(text, HasSubstr("pp2        1      none    0.500 "));
  EXPECT_THAT(text, HasSubstr("   12.5    25.0     3.0      2.0         96\n"));
  EXPECT_THAT(text, HasSubstr("pp2: a rank of stage 1, of 80.0 GiB that a card has\n"));
  EXPECT_THAT(text, HasSubstr("with failures: 3.0 days (95 %: 2.5 to 3.5), 7 failures, 12.5 % of "
                              "the time lost\n"));
}

}  // namespace
}  // namespace fathom::test
