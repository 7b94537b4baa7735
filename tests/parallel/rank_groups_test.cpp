// The groups that a layout's ranks are split into.
#include "parallel/rank_groups.h"

#include <gmock/gmock.h>

#include "comm/thread_ranks.h"
#include "core/error.h"
#include "io/temp_dir.h"
#include "parallel/small_model.h"

namespace fathom {
namespace {

ParallelPlan plan_of(int pp, int dp, int tp, const ModelConfig& model, bool sequence = false) {
  ParallelConfig c;
  c.pp = pp;
  c.dp = dp;
  c.tp = tp;
  c.sequence_parallel = sequence;
  return resolve(c, pp * dp * tp, model, {dp, 1, 16});
}

// The ranks of the world that a group is made of, by their sum of powers of two.
int members_of(Communicator& group, int world_rank) {
  int members = 0;
  for (const int rank : gather_values(group, world_rank)) members |= 1 << rank;
  return members;
}

TEST(RankGroups, AreThoseOfEachAxis) {
  const ModelConfig model = test::small_model(4, 2, 50);
  run_thread_ranks(8, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan_of(2, 2, 2, model), model);
    const auto [pp, dp, tp] = groups.place();
    EXPECT_EQ(members_of(groups.tensor(), world.rank()), 0b11 << (4 * pp + 2 * dp));
    EXPECT_EQ(members_of(groups.data(), world.rank()), 0b101 << (4 * pp + tp));
    EXPECT_EQ(members_of(groups.pipeline(), world.rank()), 0b10001 << (2 * dp + tp));
    EXPECT_EQ(groups.tensor().rank(), tp);
    EXPECT_EQ(groups.data().rank(), dp);
    EXPECT_EQ(groups.pipeline().rank(), pp);
    EXPECT_EQ(groups.shard().rank, tp);
    EXPECT_EQ(groups.shard().ranks, 2);
    EXPECT_EQ(world.name_of(5), "rank 5 (pp 1, dp 0, tp 1)");
    EXPECT_EQ(groups.pipeline().name_of(1), groups.plan().layout.name_of(4 + 2 * dp + tp));
    EXPECT_EQ(groups.first(), world.rank() == 0);
    EXPECT_FALSE(groups.alone());
    EXPECT_EQ(groups.on_first_stage(), pp == 0);
    EXPECT_EQ(groups.on_last_stage(), pp == 1);
  });
}

// Four ranks of two key heads: each is held by two neighbours.
TEST(RankGroups, HaveOneForSharedKeyHeadsWhereThereAreAny) {
  const ModelConfig model = test::small_model(2, 2, 48);
  run_thread_ranks(4, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan_of(1, 1, 4, model), model);
    ASSERT_NE(groups.same_key_heads(), nullptr);
    EXPECT_EQ(members_of(*groups.same_key_heads(), world.rank()), world.rank() < 2 ? 3 : 12);
  });
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    EXPECT_EQ(RankGroups(world, plan_of(1, 1, 2, model), model).same_key_heads(), nullptr);
  });
}

TEST(RankGroups, HaveOneForATiedEmbeddingOnTheFirstAndTheLastStage) {
  const ModelConfig tied = test::small_model(3, 2, 48, true);
  run_thread_ranks(3, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan_of(3, 1, 1, tied), tied);
    EXPECT_EQ(groups.tied_embedding() != nullptr, world.rank() != 1);
    if (groups.tied_embedding()) {
      EXPECT_EQ(members_of(*groups.tied_embedding(), world.rank()), 0b101);
    }
  });
  EXPECT_EQ(OneRank(tied).groups.tied_embedding(), nullptr);
  const ModelConfig apart = test::small_model(3, 2, 48);
  run_thread_ranks(3, {60}, [&](Communicator& world) {
    EXPECT_EQ(RankGroups(world, plan_of(3, 1, 1, apart), apart).tied_embedding(), nullptr);
  });
}

TEST(RankGroups, HaveABoundaryWhereTensorsAreSplit) {
  const ModelConfig model = test::small_model(2, 2, 48);
  const OneRank one(model);
  EXPECT_EQ(one.groups.boundary(), nullptr);
  EXPECT_EQ(one.groups.echo_boundary(), nullptr);
  EXPECT_TRUE(one.groups.alone() && one.groups.first());
  run_thread_ranks(2, {60}, [&](Communicator& world) {
    for (const bool sequence : {false, true}) {
      const RankGroups groups(world, plan_of(1, 1, 2, model, sequence), model);
      ASSERT_NE(groups.boundary(), nullptr);
      EXPECT_EQ(groups.boundary()->held_tokens(16), sequence ? 8 : 16);
      EXPECT_EQ(groups.echo_boundary()->held_tokens(16), sequence ? 8 : 16);
    }
  });
}

TEST(RankGroups, RefuseALayoutOfAnotherNumberOfRanks) {
  const ModelConfig model = test::small_model(2, 2, 48);
  EXPECT_THAT(test::runtime_error_of([&] {
                run_thread_ranks(2, {60}, [&](Communicator& world) {
                  RankGroups(world, plan_of(1, 4, 1, model), model);
                });
              }),
              testing::HasSubstr("a layout of 4 ranks in a world of 2"));
}

}  // namespace
}  // namespace fathom
