// The capacities that a learner's groups are connected for, on every rank of a layout, against the
// largest collectives that its steps and evaluations ask them for.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "comm/exchange_memory.h"
#include "comm/recording_group.h"
#include "comm/thread_ranks.h"
#include "core/parallel.h"
#include "learn/learner_run.h"

namespace fathom {
namespace {

using namespace test;

struct Rank {
  GroupRecords groups;
  std::size_t planned = 0;  // Learner::Bytes::exchanges
  int stage = 0;
};

constexpr std::int64_t short_tokens = 22;

// Its first tokens, as many as two ranks share, but not in two pieces.
MicroBatch shortened(MicroBatch batch) {
  static const std::vector<std::int32_t> offsets{0, SampleBatch::length, short_tokens};
  for (Tensor* const x : {&batch.ids, &batch.targets, &batch.tokens.positions}) {
    *x = x->slice(0, short_tokens);
  }
  batch.tokens.segments.offsets =
      Tensor(const_cast<std::int32_t*>(offsets.data()), DType::i32, {std::ssize(offsets)});
  return batch;
}

// A step, the next one's weights and an evaluation, on every rank.
std::vector<Rank> records_of(const Case& c, const ModelConfig& model, std::int64_t logit_rows) {
  const int ranks = int(c.parallel.pp * c.parallel.dp * c.parallel.tp);
  const ParallelPlan plan =
      resolve(c.parallel, ranks, model, {2 * micro_batches, 2, SampleBatch::length});
  std::vector<Rank> all(static_cast<std::size_t>(ranks));
  run_thread_ranks(ranks, {60}, [&](Communicator& world) {
    set_num_threads(1);
    Rank& rank = all[std::size_t(world.rank())];
    RecordingGroup recorded(world, "world", rank.groups);
    const RankGroups groups(recorded, plan, model);
    rank.stage = groups.place().pp;
    LearnerOptions options = options_of(c, groups);
    options.model = model;
    options.logit_rows = logit_rows;
    rank.planned = Learner::bytes(options).exchanges;
    Learner learner(options);
    learner.initialize_weights(3);
    std::vector<SampleBatch> samples;
    for (int m = 0; m < micro_batches / plan.layout.dp; ++m) samples.emplace_back(m);
    std::vector<MicroBatch> batches;
    for (const SampleBatch& sample : samples) batches.push_back(sample.batch());
    learner.compute_gradients(batches, 1);
    learner.update(1e-3, 1);
    learner.evaluate(batches.front());
    if (logit_rows > 0) {
      const std::vector<std::int32_t> rows(static_cast<std::size_t>(logit_rows), 0);
      learner.next_logits(shortened(batches.front()), rows);
    }
    learner.parameters();
  });
  return all;
}

// tp 2, pp 2, dp 2, with everything that makes groups.
std::vector<Case> cases() {
  std::vector<Case> all(5, Case{layout(2, 2, 2)});
  all[1].parallel.sequence_parallel = true;
  all[2].parallel.sequence_parallel = true;
  all[2].parallel.sequence_pieces = 2;
  all[2].parallel.zero = false;
  all[2].tied = true;
  all[3].tied = true;
  all[3].parallel.schedule = PipelineSchedule::interleaved;
  all[3].parallel.virtual_stages = 2;
  all[4].parallel.overlap = false;
  all[4].parallel.sequence_parallel = true;
  return all;
}

// One key head, which both ranks of a tensor group hold.
ModelConfig one_key_head(const Case& c) {
  return small_model(8, 1, 50, c.tied);
}

// Of all cases, without logits.
const std::vector<std::vector<Rank>>& records() {
  static const std::vector<std::vector<Rank>> all = [] {
    std::vector<std::vector<Rank>> runs;
    for (const Case& c : cases()) runs.push_back(records_of(c, one_key_head(c), 0));
    return runs;
  }();
  return all;
}

bool operator<=(const CollectiveCapacity& a, const CollectiveCapacity& b) {
  return larger(a, b) == b;
}

// No more than any rank is connected for, and of the groups of one name in all as much.
TEST(LearnerExchanges, AreAsLargeAsTheGroupsAreConnectedFor) {
  for (std::size_t i = 0; i < records().size(); ++i) {
    const std::string layout = cases()[i].name();
    std::map<std::string, CollectiveCapacity> stated, used;
    for (const Rank& rank : records()[i]) {
      for (const auto& group : rank.groups.all) {
        SCOPED_TRACE(layout + ", " + group->name);
        EXPECT_TRUE(group->used <= group->stated);
        EXPECT_TRUE(group->connected || group->used == CollectiveCapacity{});
        stated[group->name] = larger(stated[group->name], group->stated);
        used[group->name] = larger(used[group->name], group->used);
      }
    }
    EXPECT_GE(stated.size(), 8u);
    for (const auto& [name, capacity] : stated) {
      SCOPED_TRACE(layout + ", " + name);
      const CollectiveCapacity& most = used.at(name);
      EXPECT_EQ(most.bytes, capacity.bytes);
      EXPECT_EQ(most.broadcast_bytes, capacity.broadcast_bytes);
      EXPECT_EQ(most.displaced_bytes, capacity.displaced_bytes);
      EXPECT_EQ(most.begun_bytes, capacity.begun_bytes);
      EXPECT_EQ(most.begun, capacity.begun);
      EXPECT_EQ(most.sums_beside, capacity.sums_beside);
    }
  }
}

// Logits of more tokens than any loss is of at once, and of a batch that is one piece.
TEST(LearnerExchanges, OfLogitsAreWithinTheCapacity) {
  for (const Case& c : cases()) {
    std::size_t largest = 0, begun = 0;
    for (const Rank& rank : records_of(c, one_key_head(c), SampleBatch::n)) {
      for (const auto& group : rank.groups.all) {
        EXPECT_TRUE(group->used <= group->stated) << c.name() << ", " << group->name;
        begun = std::max(begun, group->used.begun_bytes);
        if (group->name != "pipeline") continue;
        largest = std::max(largest, group->used.broadcast_bytes);
        EXPECT_EQ(group->stated.broadcast_bytes, group->used.broadcast_bytes);
      }
    }
    EXPECT_EQ(largest, SampleBatch::n * 50 * sizeof(float));
    if (c.parallel.sequence_pieces > 1) {
      EXPECT_EQ(begun, short_tokens / 2 * 32 * sizeof(float));
    }
  }
}

std::size_t sender_copies(const Rank& rank, const GroupRecord& group) {
  const std::set<Route> routes(group.routes.begin(), group.routes.end());
  const auto outgoing =
      std::ranges::count_if(routes, [&](const Route& route) { return route.from == rank.stage; });
  return static_cast<std::size_t>(outgoing) *
         static_cast<std::size_t>(group.route_capacity.messages) * group.route_capacity.bytes;
}

// The plan's figure is the sum over the groups; between GPUs that is what they take.
TEST(LearnerExchanges, ThePlanIsTheSumOfTheGroups) {
  for (std::size_t i = 0; i < records().size(); ++i) {
    SCOPED_TRACE(cases()[i].name());
    for (const Rank& rank : records()[i]) {
      std::size_t bytes = 0;
      for (const auto& group : rank.groups.all) {
        if (!group->connected) continue;
        bytes += exchange_bytes(ExchangeWay::host_memory, group->size, group->stated);
        bytes += sender_copies(rank, *group);
        for (const ExchangeWay way : {ExchangeWay::one_gpu, ExchangeWay::peer_memory}) {
          EXPECT_EQ(ExchangeMemory(cpu_device, way, group->size, group->stated).bytes(),
                    exchange_bytes(way, group->size, group->stated));
        }
      }
      EXPECT_EQ(rank.planned, bytes);
      EXPECT_GT(bytes, 0u);
    }
  }
}

TEST(LearnerExchanges, OneRankTakesNothing) {
  const Case c;
  EXPECT_EQ(Learner::bytes(options_of(c, OneRank(model_of(c)).groups)).exchanges, 0u);
}

}  // namespace
}  // namespace fathom
