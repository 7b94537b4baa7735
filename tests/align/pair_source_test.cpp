#include "align/pair_source.h"

#include <gmock/gmock.h>

#include <numeric>
#include <set>

#include "align/random_pairs.h"
#include "data/loader.h"
#include "io/temp_dir.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using Ids = std::vector<std::int32_t>;

std::shared_ptr<PreferenceSet> two_pairs() {
  auto set = std::make_shared<PreferenceSet>();
  const Ids prompt{1, 2, 3}, better{4, 5}, worse{6};
  set->add({prompt, better, worse});  // 4 + 3 tokens
  const Ids question{7}, yes{8}, no{9, 10};
  set->add({question, yes, no});  // 1 + 2 tokens
  return set;
}

TEST(PairSource, ARowHoldsBothAnswersOfItsPairsAsSegments) {
  const PairSource source(two_pairs(), 12, 1);
  ASSERT_EQ(source.rows(), 1);
  Batch batch;
  source.fill(0, 1, batch);
  EXPECT_EQ(batch.sequences, 1);
  EXPECT_EQ(batch.num_targets, 6);
  EXPECT_EQ(batch.num_padding, 2);
  EXPECT_THAT(batch.inputs, ElementsAre(1, 2, 3, 4, 1, 2, 3, 7, 7, 9, 0, 0));
  EXPECT_THAT(batch.targets, ElementsAre(-1, -1, 4, 5, -1, -1, 6, 8, 9, 10, -1, -1));
  EXPECT_THAT(batch.positions, ElementsAre(0, 1, 2, 3, 0, 1, 2, 0, 0, 1, 0, 1));
  EXPECT_THAT(batch.cu_seqlens, ElementsAre(0, 4, 7, 8, 10, 12));
  EXPECT_THAT(batch.sources, ElementsAre(0));

  const std::vector<PlacedPair> placed = source.placed(0, 1);
  ASSERT_EQ(placed.size(), 2u);
  EXPECT_EQ(placed[0].pair, 0);
  EXPECT_EQ(placed[0].chosen.begin, 2);
  EXPECT_EQ(placed[0].chosen.end, 4);
  EXPECT_EQ(placed[0].rejected.begin, 6);
  EXPECT_EQ(placed[0].rejected.end, 7);
  EXPECT_EQ(placed[1].rejected.begin, 8);
  EXPECT_EQ(placed[1].rejected.end, 10);
}

TEST(PairSource, WithoutPackingARowIsOnePair) {
  const PairSource source(two_pairs(), 7, 1, PairRows::one_pair);
  EXPECT_EQ(source.rows(), 2);
  for (const PlacedPair& pair : source.placed(0, 2)) {
    EXPECT_EQ(pair.chosen.begin / 7, pair.rejected.begin / 7);
  }
  EXPECT_NE(source.fingerprint(), PairSource(two_pairs(), 12, 1).fingerprint());
  EXPECT_NE(source.fingerprint(), PairSource(two_pairs(), 7, 2, PairRows::one_pair).fingerprint());
}

// Where placed() says that a pair's answers are, fill() has put them, and no other targets.
TEST(PairSource, PlacedPairsAreTheTargetsOfTheBatch) {
  const auto pairs = test::random_pairs(40, 60, 3);
  const PairSource source(pairs, 96, 5);
  ASSERT_LT(source.rows(), 40);
  Batch batch;
  source.fill(3, 7, batch);  // into the second epoch, if there are fewer rows
  const auto length = std::ssize(batch.inputs);
  ASSERT_EQ(length, 7 * 96);
  ASSERT_EQ(std::ssize(batch.positions), length);
  ASSERT_EQ(batch.cu_seqlens.back(), length);
  std::int64_t targets = 0;
  for (const PlacedPair& placed : source.placed(3, 7)) {
    const PreferencePair pair = (*pairs)[placed.pair];
    const auto at = [&](const AnswerTokens& tokens) {
      return Ids(batch.targets.begin() + tokens.begin, batch.targets.begin() + tokens.end);
    };
    EXPECT_EQ(at(placed.chosen), Ids(pair.chosen.begin(), pair.chosen.end()));
    EXPECT_EQ(at(placed.rejected), Ids(pair.rejected.begin(), pair.rejected.end()));
    EXPECT_EQ(batch.positions[std::size_t(placed.rejected.begin)], std::ssize(pair.prompt) - 1);
    targets += placed.chosen.count() + placed.rejected.count();
  }
  EXPECT_EQ(batch.num_targets, targets);
  EXPECT_EQ(std::ranges::count_if(batch.targets, [](int t) { return t >= 0; }), targets);
}

TEST(PairSource, AnEpochTakesEveryPairOnceInAnOrderOfItsOwn) {
  const PairSource source(test::random_pairs(30, 60, 3), 96, 5);
  std::vector<std::vector<std::int64_t>> orders;
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    std::vector<std::int64_t> order;
    for (const PlacedPair& placed : source.placed(epoch * source.rows(), source.rows())) {
      order.push_back(placed.pair);
    }
    EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 30u);
    EXPECT_EQ(order.size(), 30u);
    orders.push_back(order);
  }
  EXPECT_NE(orders[0], orders[1]);
}

// Written down: a run that another version began goes on in the order that it has.
TEST(PairSource, TheOrderOfASeedStays) {
  const PairSource source(test::random_pairs(8, 60, 3), 96, 5, PairRows::one_pair);
  std::vector<std::int64_t> order;
  for (const PlacedPair& placed : source.placed(0, 8)) order.push_back(placed.pair);
  EXPECT_THAT(order, testing::ElementsAre(5, 6, 0, 1, 3, 4, 7, 2));
}

TEST(PairSource, AnyNumberOfRanksSeesTheSameRows) {
  const auto source = std::make_shared<const PairSource>(test::random_pairs(30, 60, 3), 96, 5);
  Batch whole;
  source->fill(0, 4, whole);
  Loader even(source, {1, 0, 2, 1}), odd(source, {1, 1, 2, 1});
  Ids joined;
  for (int m = 0; m < 2; ++m) {
    for (Loader* loader : {&even, &odd}) {
      const Batch batch = loader->next();
      joined.insert(joined.end(), batch.inputs.begin(), batch.inputs.end());
    }
  }
  EXPECT_EQ(joined, whole.inputs);
}

TEST(PairSource, APairThatDoesNotFitIsRefused) {
  EXPECT_EQ(test::input_error_of([] { PairSource(two_pairs(), 6, 1); }),
            "pair 1 takes 7 tokens, the prompt twice, and train.sequence_length is 6");
  EXPECT_EQ(test::input_error_of([] { PairSource(std::make_shared<PreferenceSet>(), 6, 1); }),
            "there are no preference pairs to train on");
}

}  // namespace
}  // namespace fathom
