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
