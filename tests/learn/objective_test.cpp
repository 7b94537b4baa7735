// A step's figures from the parts of its replicas.
#include "learn/objective.h"

#include <gmock/gmock.h>

#include "comm/thread_ranks.h"
#include "parallel/small_model.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::Pair;

// Replica r is normalised by r + 1.
StepTerms terms_of(int replica, bool with_loss) {
  StepTerms terms;
  terms.normaliser = replica + 1;
  if (with_loss) terms.loss = 10.0 * (replica + 1);
  terms.sums = {{"rank", replica}, {"two", 2}};
  if (with_loss) terms.counts = {10, 2, replica + 2.0};
  return terms;
}

StepFigures figures_on_one_rank(const StepTerms& terms) {
  return figures_of(terms, OneRank(test::small_model(2, 2, 50)).groups);
}

TEST(StepFigures, AreTheSumsOfTheReplicasOverTheirTargets) {
  const ModelConfig model = test::small_model(2, 2, 50);
  ParallelConfig parallel;
  parallel.dp = 3;
  const ParallelPlan plan = resolve(parallel, 3, model, {3, 1, test::SampleBatch::length});
  for (const bool with_loss : {true, false}) {
    std::vector<StepFigures> all(3);
    run_thread_ranks(3, {60}, [&](Communicator& world) {
      const RankGroups ranks(world, plan, model);
      all[std::size_t(world.rank())] = figures_of(terms_of(world.rank(), with_loss), ranks);
    });
    for (const StepFigures& figures : all) {
      EXPECT_EQ(figures.loss, with_loss ? std::optional(60.0 / 6) : std::nullopt);
      EXPECT_EQ(figures.counts.has_value(), with_loss);
      if (with_loss) {
        EXPECT_EQ(figures.counts->tokens, 30);
        EXPECT_EQ(figures.counts->padding, 6);
        EXPECT_EQ(figures.counts->targets, 9);
      }
      EXPECT_THAT(figures.values, ElementsAre(Pair("rank", 3.0 / 6), Pair("two", 6.0 / 6)));
    }
  }
}

// What other ranks than one of the last stage say does not count.
TEST(StepFigures, AreOfTheRankThatKnowsTheLosses) {
  const ModelConfig model = test::small_model(2, 2, 50);
  ParallelConfig parallel;
  parallel.pp = parallel.tp = 2;
  const ParallelPlan plan = resolve(parallel, 4, model, {2, 1, test::SampleBatch::length});
  std::vector<StepFigures> all(4);
  run_thread_ranks(4, {60}, [&](Communicator& world) {
    const RankGroups ranks(world, plan, model);
    const bool knows = ranks.place().pp == 1 && ranks.place().tp == 0;
    all[std::size_t(world.rank())] = figures_of(terms_of(knows ? 3 : 20, true), ranks);
  });
  for (const StepFigures& figures : all) {
    EXPECT_EQ(figures.loss, 10);
    EXPECT_THAT(figures.values, ElementsAre(Pair("rank", 3.0 / 4), Pair("two", 2.0 / 4)));
  }
}

TEST(StepFigures, OfOneReplicaAreItsOwn) {
  StepTerms terms = terms_of(3, true);
  const StepFigures figures = figures_on_one_rank(terms);
  EXPECT_EQ(figures.loss, 10);
  EXPECT_THAT(figures.values, ElementsAre(Pair("rank", 3.0 / 4), Pair("two", 2.0 / 4)));
  terms.sums.clear();
  terms.counts.reset();
  EXPECT_EQ(figures_on_one_rank(terms).loss, 10);
  terms.loss.reset();
  EXPECT_FALSE(figures_on_one_rank(terms).loss);
}

TEST(StepFigures, WithoutTargetsAreZero) {
  StepTerms terms = terms_of(3, true);
  terms.normaliser = 0;
  const StepFigures figures = figures_on_one_rank(terms);
  EXPECT_EQ(figures.loss, 0);
  EXPECT_THAT(figures.values, ElementsAre(Pair("rank", 0), Pair("two", 0)));
}

TEST(NextTokenPrediction, CountsTheTargetsOfAllMicroBatches) {
  std::vector<Batch> batches(2);
  batches[0].num_targets = 3;
  batches[1].num_targets = 4;
  const StepTerms terms = NextTokenPrediction().prepare(batches);
  EXPECT_EQ(terms.normaliser, 7);
  EXPECT_FALSE(terms.loss);
  EXPECT_TRUE(terms.sums.empty());
}

}  // namespace
}  // namespace fathom
