#include "scaling/rank_step.h"

#include <gmock/gmock.h>

#include "scaling/planned.h"

namespace fathom::test {
namespace {

using namespace scaling;

RankStep record(const std::string& name, int stage = 0, std::int64_t batch = 8) {
  const LayoutOptions options = layout(name);
  const CardProfile card = load_card("h200");
  const TrainPlan plan =
      plan_layout(planned_run(tiny_model(), batch, 64), options, gpus_of(options));
  return record_step(plan, stage, Cluster(card, gpus_of(options), 8), OperationTime(card));
}

std::ptrdiff_t count(const StepEvents& events, StepEvent::Kind kind) {
  return std::ranges::count(events, kind, &StepEvent::kind);
}

double seconds(const StepEvents& events) {
  double sum = 0;
  for (const StepEvent& event : events) sum += event.seconds;
  return sum;
}

TEST(RankStep, OneRankComputesAlone) {
  const RankStep step = record("1");
  EXPECT_THAT(step.gather, testing::IsEmpty());
  ASSERT_EQ(step.parts.size(), 1);
  const PartStep& part = step.parts.front();
  EXPECT_EQ(part.layers, 4);
  ASSERT_EQ(part.forward.size(), 1);
  EXPECT_EQ(part.forward.front().kind, StepEvent::Kind::compute);
  EXPECT_GT(seconds(part.backward), seconds(part.forward));
  EXPECT_EQ(step.message_bytes, 0);
}

TEST(RankStep, ReplicasGatherWeightsAndSumGradientsBesideTheComputing) {
  const RankStep step = record("dp2");
  EXPECT_GT(count(step.gather, StepEvent::Kind::submit), 0);
  const PartStep& part = step.parts.front();
  EXPECT_GT(count(part.first_forward, StepEvent::Kind::wait), 0);
  EXPECT_EQ(count(part.forward, StepEvent::Kind::wait), 0);
  EXPECT_EQ(count(part.backward, StepEvent::Kind::submit), 0);
  EXPECT_GT(count(part.last_backward, StepEvent::Kind::submit), 0);
  EXPECT_EQ(count(step.finish, StepEvent::Kind::wait), 1);
  EXPECT_EQ(count(step.finish, StepEvent::Kind::exchange), 1);  // the norm
  EXPECT_LT(seconds(step.update), seconds(record("1").update));
}

TEST(RankStep, WithoutZeroNothingIsGathered) {
  const RankStep step = record("dp2+nozero");
  EXPECT_THAT(step.gather, testing::IsEmpty());
  EXPECT_GT(count(step.parts.front().last_backward, StepEvent::Kind::submit), 0);
}

// Of 2 ranks, each of 4 blocks gathers twice and sums twice, in each piece.
TEST(RankStep, SequenceParallelRanksExchangeBesideTheProducts) {
  for (const std::int64_t pieces : {1, 2}) {
    const RankStep step = record(pieces == 1 ? "tp2+sp" : "tp2+sp+pieces2");
    EXPECT_EQ(count(step.parts.front().forward, StepEvent::Kind::submit), 4 * 4 * pieces);
    // Backward: the gradient and the input are gathered, the input's gradient is summed.
    EXPECT_EQ(count(step.parts.front().backward, StepEvent::Kind::submit), 4 * 6 * pieces);
  }
}

TEST(RankStep, TensorParallelRanksStandStillForSums) {
  const RankStep step = record("tp2");
  EXPECT_EQ(count(step.parts.front().forward, StepEvent::Kind::submit), 0);
  // The embedding, two sub-layers a block, and in the head its input's gradient and the loss.
  EXPECT_EQ(count(step.parts.front().forward, StepEvent::Kind::exchange), 1 + 4 * 2 + 2);
}

TEST(RankStep, WithoutOverlapEverythingIsInTheComputingsLane) {
  const RankStep step = record("tp2+sp+nooverlap");
  EXPECT_EQ(count(step.parts.front().forward, StepEvent::Kind::submit), 0);
  EXPECT_GT(count(step.parts.front().forward, StepEvent::Kind::exchange), 4 * 4);
}

TEST(RankStep, StagesSendTheResidualStreamThatTheyHold) {
  EXPECT_EQ(record("pp2").message_bytes, 64 * 64 * 2);
  EXPECT_EQ(record("pp2xtp2+sp", 1).message_bytes, 64 * 64 * 2 / 2);
  EXPECT_EQ(record("pp2+v2").parts.size(), 2);
}

// A card on which nothing takes time but what has no rate of its own. In units of the tokens that a
// rank holds, of 64 numbers in bf16: a block's forward twice copies them into the gathered ones (2)
// and twice adds the other rank's part to its own (both are read and their sum is written: 3); at
// its end the stage adds what the block has changed (3).
TEST(RankStep, SumsOfPartsReadAllPartsAndWriteTheirSum) {
  CardProfile card = load_card("h200");
  card.start = card.spread = 0;
  card.copy_tbs = 1;
  card.products.measured = {64, 64, 64, 1e30, 1e30, 1e30};
  card.attention = {1e30, 1e30, 0, 0};
  visit_fields(card.copy_shares, [](const char* key, double& share, const char*) {
    share = key == std::string("other") ? 1 : 1e30;
  });
  const LayoutOptions options = layout("pp4xtp2+sp");
  const TrainPlan plan = plan_layout(planned_run(tiny_model(), 8, 64), options, 8);
  const RankStep step = record_step(plan, 1, Cluster(card, 8, 8), OperationTime(card));
  double computing = 0;
  for (const StepEvent& event : step.parts.front().forward) {
    if (event.kind == StepEvent::Kind::compute) computing += event.seconds;
  }
  EXPECT_NEAR(computing * 1e12 / (64 / 2 * 64 * 2), 2 * 2 + 2 * 3 + 3, 1e-6);
}

TEST(RankStep, RecomputingTakesTime) {
  const double none = seconds(record("1+none").parts.front().backward);
  const double full = seconds(record("1+full").parts.front().backward);
  EXPECT_GT(full, none);
}

}  // namespace
}  // namespace fathom::test
