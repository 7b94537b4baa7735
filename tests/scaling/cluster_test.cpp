#include "scaling/cluster.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "io/temp_dir.h"

namespace fathom::scaling {
namespace {

using ExchangeKind = Exchange::Kind;
constexpr std::size_t megabytes = 1000 * 1000;

CardProfile card() {
  CardProfile card;
  card.peer = {1e-6, 1e-7, 400e9, 0.05};
  card.nccl = {5e-6, 0, 300e9, 0.2};
  card.network = {10e-6, 2e-6, 50e9, 0.1};
  return card;
}

TEST(Cluster, GpusOfOneNodeReadEachOthersMemory) {
  EXPECT_EQ(Cluster(card(), 4, 8).way(true), ExchangeWay::peer_memory);
  EXPECT_EQ(Cluster(card(), 4, 8).way(false), ExchangeWay::nccl);
  EXPECT_EQ(Cluster(card(), 16, 8).way(true), ExchangeWay::nccl);
}

// The expected largest of n normal numbers: 0, 1.03, 3.24 standard deviations above the mean.
TEST(Cluster, ComputesAsSlowlyAsTheSlowestCardIsExpectedTo) {
  CardProfile spread = card();
  spread.spread = 0.01;
  EXPECT_NEAR(Cluster(spread, 1, 1).slowest(), 1, 1e-9);
  EXPECT_NEAR(Cluster(spread, 4, 4).slowest(), 1.0103, 3e-4);
  EXPECT_NEAR(Cluster(spread, 1024, 8).slowest(), 1.0324, 3e-4);
}

TEST(Cluster, ARankReceivesWhatTheOthersHold) {
  const Cluster cluster(card(), 4, 8);
  const Exchange gather{ExchangeKind::all_gather, 4, 1, 400 * megabytes};
  const ExchangeTime time = cluster.time_of(gather, ExchangeWay::peer_memory);
  EXPECT_EQ(time.link, Link::node);
  EXPECT_EQ(time.contention, 0.05);
  EXPECT_NEAR(time.seconds, 1.2e-6 + 300e6 / 400e9, 1e-12);
}

TEST(Cluster, AnAllReduceGoesTwice) {
  const Cluster cluster(card(), 4, 8);
  const ExchangeTime time =
      cluster.time_of({ExchangeKind::all_reduce, 4, 1, 400 * megabytes}, ExchangeWay::nccl);
  EXPECT_NEAR(time.seconds, 5e-6 + 2 * 300e6 / 300e9, 1e-12);
}

// 4 nodes: a data group of every eighth rank has one rank in each, and one adapter.
TEST(Cluster, ADataGroupBesideTensorGroupsHasAnAdapterForEachRank) {
  const Cluster cluster(card(), 32, 8);
  const ExchangeTime time =
      cluster.time_of({ExchangeKind::all_gather, 4, 8, 400 * megabytes}, ExchangeWay::nccl);
  EXPECT_EQ(time.link, Link::network);
  EXPECT_NEAR(time.seconds, 10e-6 + 2 * 2e-6 + 300e6 / 50e9, 1e-12);
}

// A group of all 32 ranks: each node receives three quarters by 8 adapters.
TEST(Cluster, RanksOfANodeShareTheWorkOfReceiving) {
  const Cluster cluster(card(), 32, 8);
  const ExchangeTime time =
      cluster.time_of({ExchangeKind::all_gather, 32, 1, 3200 * megabytes}, ExchangeWay::nccl);
  const double network = 10e-6 + 2 * 2e-6 + 2400e6 / 8 / 50e9;
  const double inside = 5e-6 + 3100e6 / 300e9;
  EXPECT_NEAR(time.seconds, std::max(network, inside) + 5e-6, 1e-12);
}

TEST(Cluster, MessagesToAnotherNodeGoByNetwork) {
  const Cluster cluster(card(), 32, 8);
  EXPECT_EQ(cluster.time_of_message(megabytes, 4, ExchangeWay::nccl).link, Link::node);
  const ExchangeTime far = cluster.time_of_message(100 * megabytes, 8, ExchangeWay::nccl);
  EXPECT_EQ(far.link, Link::network);
  EXPECT_NEAR(far.seconds, 10e-6 + 100e6 / 50e9, 1e-12);
}

// The work of a queue takes the way of its group: with every second rank of 16 in two nodes, each
// node has four of the eight.
TEST(Cluster, AGroupThatSkipsRanksHasFewerInANode) {
  const Cluster cluster(card(), 16, 8);
  const ExchangeTime time =
      cluster.time_of({ExchangeKind::reduce_scatter, 8, 2, 800 * megabytes}, ExchangeWay::nccl);
  const double network = 10e-6 + 0 * 2e-6 + 400e6 / 4 / 50e9;
  const double inside = 5e-6 + 700e6 / 300e9;
  EXPECT_EQ(time.link, Link::network);
  EXPECT_NEAR(time.seconds, std::max(network, inside) + 5e-6, 1e-12);
  EXPECT_EQ(time.contention, 0.1);
  // Every sixteenth of 64: one in each second node.
  const ExchangeTime apart =
      Cluster(card(), 64, 8)
          .time_of({ExchangeKind::all_gather, 4, 16, 400 * megabytes}, ExchangeWay::nccl);
  EXPECT_NEAR(apart.seconds, 10e-6 + 2 * 2e-6 + 300e6 / 50e9, 1e-12);
}

TEST(Cluster, MessagesInsideANodeGoByTheWayOfTheRanks) {
  const Cluster cluster(card(), 8, 8);
  const auto near = [&](ExchangeWay way) {
    return cluster.time_of_message(100 * megabytes, 7, way);
  };
  EXPECT_NEAR(near(ExchangeWay::peer_memory).seconds, 1e-6 + 100e6 / 400e9, 1e-12);
  EXPECT_EQ(near(ExchangeWay::peer_memory).contention, 0.05);
  EXPECT_NEAR(near(ExchangeWay::nccl).seconds, 5e-6 + 100e6 / 300e9, 1e-12);
  EXPECT_EQ(near(ExchangeWay::nccl).contention, 0.2);
  EXPECT_EQ(Cluster(card(), 16, 8).time_of_message(1, 7, ExchangeWay::nccl).link, Link::node);
  EXPECT_EQ(Cluster(card(), 16, 8).time_of_message(1, 8, ExchangeWay::nccl).contention, 0.1);
}

TEST(Cluster, OfFewerGpusThanANodeHoldsIsOneNode) {
  const Cluster cluster(card(), 4, 8);
  EXPECT_EQ(cluster.gpus_per_node(), 4);
  EXPECT_EQ(cluster.nodes(), 1);
  EXPECT_EQ(Cluster(card(), 24, 8).nodes(), 3);
  EXPECT_EQ(Cluster(card(), 24, 1).nodes(), 24);
}

TEST(Cluster, NamesTheNumberThatItRefuses) {
  const auto refusal = [](std::int64_t gpus, std::int64_t per_node) {
    return test::input_error_of([&] { Cluster(card(), gpus, per_node); });
  };
  EXPECT_EQ(refusal(0, 8), "--gpus is 0: use a number from 1 to 1048576");
  EXPECT_EQ(refusal(1048577, 1), "--gpus is 1048577: use a number from 1 to 1048576");
  EXPECT_EQ(refusal(1048576, 1), "no error");
  EXPECT_EQ(refusal(8, 0), "--gpus-per-node is 0: use a number from 1 to 1048576");
  EXPECT_EQ(refusal(12, 8), "--gpus (12) is not a multiple of --gpus-per-node (8)");
}

TEST(Cluster, RefusesImpossibleNumbers) {
  EXPECT_THROW(Cluster(card(), 0, 8), Error);
  EXPECT_THROW(Cluster(card(), 12, 8), Error);
  EXPECT_THROW(Cluster(card(), 8, -1), Error);
}

}  // namespace
}  // namespace fathom::scaling
