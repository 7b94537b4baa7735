#include "scaling/layout_search.h"

#include <gmock/gmock.h>

#include <set>

#include "comm/ranks.h"
#include "core/error.h"
#include "scaling/planned.h"
#include "train/machine.h"

namespace fathom::test {
namespace {

using namespace scaling;

SearchRequest request_of(const ModelConfig& model, std::int64_t batch,
                         std::int64_t sequence_length) {
  SearchRequest request;
  request.run = planned_run(model, batch, sequence_length);
  return request;
}

TEST(PossibleLayouts, AreThoseThatTheTrainerTakes) {
  const SearchRequest request = request_of(tiny_model(), 16, 64);
  const Cluster cluster(load_card("h200"), 8, 4);
  const std::vector<LayoutOptions> layouts = possible_layouts(request, cluster);
  std::set<std::string> names;
  for (const LayoutOptions& options : layouts) {
    EXPECT_NO_THROW(plan_layout(request.run, options, 8));
    EXPECT_LE(options.parallel.tp, 4) << "a tensor group beyond a node";
    EXPECT_EQ(gpus_of(options), 8);
    names.insert(layout_name(options.parallel));
  }
  for (const char* name :
       {"dp8", "pp2xdp4", "pp4xdp2", "dp4xtp2", "dp4xtp2+sp+pieces4", "pp2xtp4+sp", "pp2xdp4+v2"}) {
    EXPECT_THAT(names, testing::Contains(name));
  }
  EXPECT_THAT(names, testing::Not(testing::Contains("pp8")));  // of 4 blocks
}

TEST(PossibleLayouts, HaveTheSizesThatAreAskedFor) {
  SearchRequest request = request_of(tiny_model(), 16, 64);
  request.micro_batch = 2;
  request.recompute = Recompute::full;
  for (const LayoutOptions& options : possible_layouts(request, Cluster(load_card("h200"), 4, 4))) {
    EXPECT_EQ(options.micro_batch, 2);
    EXPECT_EQ(options.recompute, Recompute::full);
  }
}

// Those that a field of the layouts takes.
template <class Field>
auto values_of(const SearchRequest& request, int gpus, Field field) {
  std::set<decltype(field(LayoutOptions{}))> values;
  for (const LayoutOptions& options :
       possible_layouts(request, Cluster(load_card("h200"), gpus, gpus))) {
    values.insert(field(options));
  }
  return values;
}

// 1, 2, 4 and 8 sequences that divide the batch, of 32768 tokens in all at most.
TEST(PossibleLayouts, HaveMicroBatchesOfAsManyTokensAsAreOfUse) {
  using Sizes = std::set<std::int64_t>;
  const auto sizes = [](std::int64_t length, std::int64_t batch, int gpus = 1) {
    return values_of(request_of(tiny_model(), batch, length), gpus,
                     [](const LayoutOptions& o) { return o.micro_batch; });
  };
  EXPECT_EQ(sizes(64, 32), (Sizes{1, 2, 4, 8}));
  EXPECT_EQ(sizes(4096, 32), (Sizes{1, 2, 4, 8}));
  EXPECT_EQ(sizes(4097, 32), (Sizes{1, 2, 4}));
  EXPECT_EQ(sizes(16384, 32), (Sizes{1, 2}));
  EXPECT_EQ(sizes(16385, 32), (Sizes{1}));
  EXPECT_EQ(sizes(100'000, 32), (Sizes{1})) << "one at least";
  EXPECT_EQ(sizes(64, 12), (Sizes{1, 2, 4}));
  EXPECT_EQ(sizes(64, 7), (Sizes{1}));
}

TEST(PossibleLayouts, RecomputeInEachWayUnlessOneIsAskedFor) {
  const auto policies = values_of(request_of(tiny_model(), 2, 64), 1,
                                  [](const LayoutOptions& o) { return o.recompute; });
  EXPECT_EQ(policies,
            (std::set<Recompute>{Recompute::none, Recompute::selective, Recompute::full}));
}

// Of a model of 20 blocks, at most 8 parts a stage; a step of a number of micro-batches that the
// stages do not divide has no parts.
TEST(PossibleLayouts, InterleaveWhatTheStagesDivide) {
  using Parts = std::set<std::pair<std::int64_t, std::int64_t>>;  // stages, parts of each
  const auto parts = [](std::int64_t layers, std::int64_t batch, int gpus) {
    SearchRequest request = request_of(tiny_model(layers), batch, 64);
    request.micro_batch = 1;
    return values_of(request, gpus, [](const LayoutOptions& o) {
      EXPECT_EQ(o.parallel.schedule == PipelineSchedule::interleaved,
                o.parallel.virtual_stages > 1);
      return std::pair{o.parallel.pp, o.parallel.virtual_stages};
    });
  };
  EXPECT_EQ(parts(20, 4, 2),
            (Parts{{1, 1}, {2, 1}, {2, 2}, {2, 3}, {2, 4}, {2, 5}, {2, 6}, {2, 7}, {2, 8}}));
  EXPECT_EQ(parts(5, 4, 2), (Parts{{1, 1}, {2, 1}, {2, 2}}));
  EXPECT_EQ(parts(20, 3, 1), (Parts{{1, 1}}));
  SearchRequest odd = request_of(tiny_model(20), 3, 64);
  EXPECT_EQ(values_of(odd, 2, [](const LayoutOptions& o) { return o.parallel.virtual_stages; }),
            (std::set<std::int64_t>{1}));
}

// Heads, key heads and the MLP are split evenly, where there are as many ranks as key heads or a
// multiple; sequences in pieces that the ranks share evenly.
TEST(PossibleLayouts, SplitTheModelEvenly) {
  const auto tensor_ranks = [](auto&& change) {
    SearchRequest request = request_of(tiny_model(), 16, 64);
    change(request.run.model);
    return values_of(request, 8, [](const LayoutOptions& o) { return o.parallel.tp; });
  };
  using Ranks = std::set<std::int64_t>;
  EXPECT_EQ(tensor_ranks([](ModelConfig&) {}), (Ranks{1, 2, 4})) << "of 4 heads";
  EXPECT_EQ(tensor_ranks([](ModelConfig& m) { m.num_heads = 8; }), (Ranks{1, 2, 4, 8}));
  EXPECT_EQ(tensor_ranks([](ModelConfig& m) { m.num_heads = 6, m.num_kv_heads = 3; }), (Ranks{1}));
  EXPECT_EQ(tensor_ranks([](ModelConfig& m) { m.intermediate_size = 102; }), (Ranks{1, 2}));
  const auto pieces = [](std::int64_t length) {
    SearchRequest request = request_of(tiny_model(), 16, length);
    request.micro_batch = 1;
    return values_of(request, 2, [](const LayoutOptions& o) {
      return o.parallel.sequence_parallel ? o.parallel.sequence_pieces : 0;
    });
  };
  EXPECT_EQ(pieces(64), (Ranks{0, 1, 2, 4}));
  EXPECT_EQ(pieces(60), (Ranks{0, 1, 2}));
  EXPECT_EQ(pieces(62), (Ranks{0, 1}));
  EXPECT_EQ(pieces(63), (Ranks{0}));
}

TEST(LayoutName, IsWhatVerifyTakes) {
  for (const char* name : {"1", "dp2", "pp2xdp2xtp2+sp+pieces2+v2", "tp4", "pp4+gpipe",
                           "dp2+nozero+nooverlap+nopeer"}) {
    EXPECT_EQ(layout_name(layout(name).parallel), name);
  }
}

// The search simulates only layouts whose estimate is among the best; here all are simulated.
TEST(LayoutSearch, FindsTheFastestOfAllLayouts) {
  SearchRequest request = request_of(model_7b(4), 16, 4096);
  request.wanted = 3;
  const Cluster cluster(load_card("h200"), 4, 4);
  const OperationTime time(cluster.card());
  std::vector<double> all;
  for (const LayoutOptions& options : possible_layouts(request, cluster)) {
    const FoundLayout found = look_at(plan_layout(request.run, options, 4), cluster, time);
    if (fits(found.memory, cluster)) all.push_back(found.time.seconds);
  }
  std::ranges::sort(all);
  const SearchResult result = search_layouts(request, cluster);
  ASSERT_EQ(result.best.size(), 3);
  EXPECT_LT(result.simulated, all.size());
  for (std::size_t i = 0; i < 3; ++i) EXPECT_DOUBLE_EQ(result.best[i].time.seconds, all[i]);
}

TEST(LayoutSearch, ReturnsWhatFits) {
  const Cluster cluster(load_card("h100"), 8, 8);
  const SearchResult result = search_layouts(request_of(model_7b(), 32, 4096), cluster);
  ASSERT_FALSE(result.best.empty());
  EXPECT_GT(result.too_large, 0);
  for (const FoundLayout& found : result.best) EXPECT_TRUE(fits(found.memory, cluster));
}

TEST(LayoutSearch, TellsHowFarItIsAndFindsAsManyAsAreWanted) {
  SearchRequest request = request_of(tiny_model(), 8, 64);
  request.micro_batch = 1;
  request.recompute = Recompute::none;
  const Cluster cluster(load_card("h200"), 2, 2);
  const auto found = [&](std::size_t wanted) {
    request.wanted = wanted;
    std::vector<std::size_t> looked;
    const SearchResult result =
        search_layouts(request, cluster, [&](std::size_t count, std::size_t most) {
          looked.push_back(count);
          EXPECT_EQ(most, possible_layouts(request, cluster).size());
        });
    for (std::size_t i = 0; i < looked.size(); ++i) EXPECT_EQ(looked[i], i + 1);
    EXPECT_EQ(looked.size(), result.simulated + result.too_large);
    for (std::size_t i = 1; i < result.best.size(); ++i) {
      EXPECT_LE(result.best[i - 1].time.seconds, result.best[i].time.seconds);
    }
    EXPECT_EQ(result.too_large, 0u);
    EXPECT_EQ(result.least_bytes, 0u) << "none is too large";
    return result;
  };
  EXPECT_EQ(found(1).best.size(), 1u);
  EXPECT_EQ(found(5).best.size(), 5u);
  const SearchResult all = found(100'000);
  EXPECT_EQ(all.best.size(), all.possible);
  EXPECT_EQ(all.simulated, all.possible);
  EXPECT_EQ(SearchRequest{}.wanted, 10u);
}

TEST(LayoutSearch, NamesTheLeastMemoryWhereNothingFits) {
  const Cluster cluster(load_card("h100"), 2, 2);
  const SearchResult result = search_layouts(request_of(model_67b(), 32, 4096), cluster);
  EXPECT_TRUE(result.best.empty());
  EXPECT_EQ(result.too_large, result.possible);
  EXPECT_GT(result.least_bytes, std::size_t{79} << 30);
  // Stages and replicas that share the optimizer's state each halve something: no layout needs less
  // than a half of the states, and the best needs little more.
  const double states = 16 * 67e9;
  EXPECT_LT(static_cast<double>(result.least_bytes), 0.6 * states);
}

// Of a model of few blocks, for simulating many takes seconds.
TEST(LayoutSearch, OfManyGpusSimulatesFewLayouts) {
  const Cluster cluster(load_card("h800"), 16384, 8);
  SearchRequest request = request_of(model_67b(16), 16384, 4096);
  request.micro_batch = 1;
  request.recompute = Recompute::selective;
  request.wanted = 1;
  const SearchResult result = search_layouts(request, cluster);
  EXPECT_EQ(result.best.size(), 1);
  EXPECT_LT(result.simulated, result.possible / 2);
}

// The same numbers that each rank of a real run plans, which that run's peak is held to elsewhere.
TEST(RankMemory, IsThatOfTheRealRanks) {
  PlannedRun run = planned_run(tiny_model(), 8, 64);
  for (const char* name : {"pp2xdp2", "dp2xtp2+sp", "pp4", "tp2xdp2+nozero"}) {
    TrainPlan plan = plan_layout(run, layout(name), 4);
    plan.device = cpu_device;
    run_ranks(4, {}, [&](Communicator& world) {
      const RankGroups groups(world, plan.parallel, plan.config.model);
      const MemoryTable real = plan_memory(plan, groups);
      const MemoryTable planned = memory_of_rank(plan, world.rank(), ExchangeWay::host_memory);
      ASSERT_EQ(planned.device_rows().size(), real.device_rows().size());
      for (std::size_t i = 0; i < real.device_rows().size(); ++i) {
        if (real.device_rows()[i].what == "program and libraries") continue;
        EXPECT_EQ(planned.device_rows()[i].bytes, real.device_rows()[i].bytes)
            << name << ", rank " << world.rank() << ": " << real.device_rows()[i].what;
      }
    });
  }
}

TEST(RankMemory, OfTheFullestStageIsTheMostOfAll) {
  const PlannedRun run = planned_run(model_7b(), 32, 4096);
  for (const char* name : {"pp8", "pp4xdp2+v2", "pp8+gpipe"}) {
    const TrainPlan plan = plan_layout(run, layout(name), 8);
    const Cluster cluster(load_card("h200"), 8, 8);
    const RankMemory fullest = fullest_rank(plan, cluster);
    for (int stage = 0; stage < plan.parallel.layout.pp; ++stage) {
      const int rank = plan.parallel.layout.rank_of({stage, 0, 0});
      EXPECT_LE(memory_of_rank(plan, rank, cluster.way(true)).device_total(),
                fullest.table.device_total())
          << name << ", stage " << stage;
    }
  }
}

// Of few small blocks and a large vocabulary the last stage takes the most, for it has the logits.
TEST(RankMemory, OfAStageWithALargeHeadIsTheFullest) {
  ModelConfig model = tiny_model(4);
  model.vocab_size = 100'000;
  const Cluster cluster(load_card("h200"), 4, 4);
  for (const char* name : {"pp2xdp2+gpipe", "pp4+gpipe", "pp2xdp2+v2"}) {
    const TrainPlan plan = plan_layout(planned_run(model, 16, 64), layout(name), 4);
    const int last = plan.parallel.layout.pp - 1;
    const RankMemory fullest = fullest_rank(plan, cluster);
    EXPECT_EQ(fullest.stage, last) << name;
    const int rank = plan.parallel.layout.rank_of({last, 0, 0});
    EXPECT_EQ(fullest.table.device_total(),
              memory_of_rank(plan, rank, cluster.way(true)).device_total());
  }
  const TrainPlan one = plan_layout(planned_run(model, 16, 64), layout("dp4"), 4);
  EXPECT_EQ(fullest_rank(one, cluster).stage, 0);
}

TEST(RunFigures, AreThoseOfTheStepsTime) {
  const PlannedRun run{model_67b(), 2'000'000'000'000, 4096, 4096};
  const Cluster cluster(load_card("h800"), 1024, 8);
  const TrainPlan plan = plan_layout(run, layout("pp8xdp16xtp8+sp"), 1024);
  // 300.6 thousand GPU-hours for 10^12 tokens: 924 tokens/s a GPU, 460 TFLOP/s by M.
  const double step = 4096.0 * 4096 / (1e12 / 300.6e3 / 3600 * 1024);
  const RunFigures figures = figures_of(plan, step, cluster);
  EXPECT_NEAR(figures.gpu_hours, 2 * 300.6e3, 1);
  EXPECT_NEAR(figures.days, 2 * 300.6e3 / 1024 / 24, 1e-3);
  EXPECT_NEAR(figures.model_tflops, 460, 2);
  EXPECT_NEAR(figures.mfu * 989, 387, 1);
}

}  // namespace
}  // namespace fathom::test
