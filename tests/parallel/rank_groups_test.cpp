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

// On the last stage the first of each tensor group.
TEST(RankGroups, OneRankOfAReplicaTellsTheLosses) {
  const ModelConfig model = test::small_model(4, 2, 50);
  run_thread_ranks(8, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan_of(2, 2, 2, model), model);
    EXPECT_EQ(groups.tells_losses(), world.rank() == 4 || world.rank() == 6) << world.rank();
  });
  EXPECT_TRUE(OneRank(model).groups.tells_losses());
}

constexpr GroupCapacities group_capacities{
    .world = {.bytes = 4},
    .tensor = {.bytes = 400, .displaced_bytes = 100},
    .beside_products = {.bytes = 800, .begun_bytes = 400, .begun = 2},
    .pipeline = {.broadcast_bytes = 1000}};

TEST(RankGroups, ConnectEachGroupForItsOwnCollectives) {
  const ModelConfig model = test::small_model(4, 2, 50);
  run_thread_ranks(4, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan_of(2, 1, 2, model, true), model);
    groups.connect(cpu_device, group_capacities);
    Context context(cpu_device, 0);
    std::vector<float> values(400);
    const auto sum_of = [&](Communicator& group, std::int64_t count) {
      group.all_reduce(context, Tensor(values.data(), DType::f32, {count}));
    };
    sum_of(world, 1);
    sum_of(groups.tensor(), 100);
    groups.pipeline().broadcast(context, Tensor(values.data(), DType::f32, {250}), 1);
    sum_of(groups.data(), 400);  // GradientSync has its own
    EXPECT_THAT([&] { sum_of(world, 2); },
                testing::ThrowsMessage<Error>(testing::HasSubstr("connected for 4")));
    EXPECT_THAT([&] { sum_of(groups.tensor(), 101); },
                testing::ThrowsMessage<Error>(testing::HasSubstr("connected for 400")));
    EXPECT_THAT([&] { sum_of(groups.pipeline(), 1); },
                testing::ThrowsMessage<Error>(testing::HasSubstr("connected for 0")));
  });
}

// The bytes of all that connect() connects; the group beside products is of sequence parallelism.
TEST(RankGroups, TakeTheBytesOfTheGroupsThatTheyConnect) {
  const ModelConfig model = test::small_model(4, 2, 50);
  const auto host = [](int ranks, const CollectiveCapacity& c) {
    return exchange_bytes(ExchangeWay::host_memory, ranks, c);
  };
  run_thread_ranks(4, {60}, [&](Communicator& world) {
    for (const bool sequence : {false, true}) {
      const RankGroups groups(world, plan_of(2, 1, 2, model, sequence), model);
      EXPECT_EQ(groups.exchange_bytes(cpu_device, group_capacities),
                host(4, group_capacities.world) + host(2, group_capacities.tensor) +
                    host(2, group_capacities.pipeline) +
                    (sequence ? host(2, group_capacities.beside_products) : 0));
    }
  });
  EXPECT_EQ(OneRank(model).groups.exchange_bytes(cpu_device, group_capacities), 0u);
}

TEST(RankGroups, CancelEveryGroup) {
  const ModelConfig tied = test::small_model(4, 2, 48, true);
  run_thread_ranks(8, {60}, [&](Communicator& world) {
    const RankGroups groups(world, plan_of(2, 1, 4, tied, true), tied);
    world.barrier();
    groups.cancel();
    for (Communicator* const group :
         {&groups.world(), &groups.tensor(), &groups.data(), &groups.pipeline(),
          groups.same_key_heads(), groups.tied_embedding()}) {
      ASSERT_NE(group, nullptr);
      EXPECT_THAT([&] { group->throw_if_failed(); },
                  testing::ThrowsMessage<Error>("this rank has failed"));
    }
  });
}

}  // namespace
}  // namespace fathom
