// A step's figures from the parts of its replicas.
#include "learn/objective.h"

#include <gmock/gmock.h>

#include "comm/thread_ranks.h"
#include "comm/world_of_one.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::Pair;

// Replica r has r + 1 targets.
StepTerms terms_of(int replica, bool with_loss) {
  StepTerms terms;
  terms.normaliser = replica + 1;
  if (with_loss) terms.loss = 10.0 * (replica + 1);
  terms.sums = {{"rank", replica}, {"two", 2}};
  return terms;
}

TEST(StepFigures, AreTheSumsOfTheReplicasOverTheirTargets) {
  for (const bool with_loss : {true, false}) {
    std::vector<StepFigures> all(3);
    run_thread_ranks(3, {60}, [&](Communicator& world) {
      all[std::size_t(world.rank())] = figures_of(terms_of(world.rank(), with_loss), world);
    });
    for (const StepFigures& figures : all) {
      EXPECT_EQ(figures.loss, with_loss ? std::optional(60.0 / 6) : std::nullopt);
      EXPECT_THAT(figures.values, ElementsAre(Pair("rank", 3.0 / 6), Pair("two", 6.0 / 6)));
    }
  }
}

TEST(StepFigures, OfOneReplicaAreItsOwn) {
  const auto world = world_of_one();
  StepTerms terms = terms_of(3, true);
  const StepFigures figures = figures_of(terms, *world);
  EXPECT_EQ(figures.loss, 10);
  EXPECT_THAT(figures.values, ElementsAre(Pair("rank", 3.0 / 4), Pair("two", 2.0 / 4)));
  terms.sums.clear();
  EXPECT_EQ(figures_of(terms, *world).loss, 10);
  terms.loss.reset();
  EXPECT_FALSE(figures_of(terms, *world).loss);
}

TEST(StepFigures, WithoutTargetsAreZero) {
  const auto world = world_of_one();
  StepTerms terms = terms_of(3, true);
  terms.normaliser = 0;
  const StepFigures figures = figures_of(terms, *world);
  EXPECT_EQ(figures.loss, 0);
  EXPECT_THAT(figures.values, ElementsAre(Pair("rank", 0), Pair("two", 0)));
}

TEST(NextTokenPrediction, CountsTheTargetsOfAllMicroBatches) {
  std::vector<Batch> batches(2);
  batches[0].num_targets = 3;
  batches[1].num_targets = 4;
  const StepTerms terms = NextTokenPrediction().prepare(batches, {});
  EXPECT_EQ(terms.normaliser, 7);
  EXPECT_FALSE(terms.loss);
  EXPECT_TRUE(terms.sums.empty());
}

}  // namespace
}  // namespace fathom
