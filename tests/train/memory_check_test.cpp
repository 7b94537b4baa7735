// Runs that do not fit: who counts together, and advice that only names what would help.
#include "train/memory_check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "comm/hosts.h"
#include "comm/thread_ranks.h"
#include "core/progress.h"
#include "io/temp_dir.h"
#include "train/machine.h"
#include "train/rank_options.h"

namespace fathom {
namespace {

using test::input_error_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t checked_gib = std::size_t{1} << 30;

TrainConfig config_of(std::int64_t micro_batch, RecomputeChoice recompute) {
  TrainConfig config;
  config.dtype = DTypeChoice::f32;
  config.model.num_layers = 4;
  config.model.hidden_size = 64;
  config.model.num_heads = 4;
  config.train.sequence_length = 256;
  config.train.global_batch = 8;
  config.train.micro_batch = micro_batch;
  config.train.recompute = recompute;
  config.train.logits_chunk = 256;
  config.train.steps = 1;
  config.threads = 1;
  return config;
}

TrainPlan plan_of(std::int64_t micro_batch, RecomputeChoice recompute) {
  return resolve(config_of(micro_batch, recompute), {300, 10000});
}

// Of the host, without the process's own part, which grows while tests run.
std::size_t planned(const TrainPlan& plan) {
  const MemoryTable table = plan_memory(plan, OneRank(plan.config.model).groups);
  return table.device_total() - table.process_total();
}

std::string saves(const char* setting, const TrainPlan& from, const TrainPlan& to) {
  return fmt::format("{} saves {}", setting, human_bytes(double(planned(from) - planned(to))));
}

std::string advice(const TrainPlan& plan, std::size_t missing) {
  return memory_advice(plan, OneRank(plan.config.model).groups, MemoryPlace::host, missing + 1000,
                       1000);
}

TEST(MemoryAdvice, NamesWhatHelpsWithItsBytes) {
  const TrainPlan plan = plan_of(4, RecomputeChoice::none);
  const TrainPlan smaller = plan_of(1, RecomputeChoice::none);
  const TrainPlan selective = plan_of(4, RecomputeChoice::selective);
  const TrainPlan full = plan_of(4, RecomputeChoice::full);
  ASSERT_LT(planned(full), planned(selective));
  EXPECT_THAT(advice(plan, 1000 * checked_gib),
              AllOf(HasSubstr(saves("train.micro_batch=1", plan, smaller)),
                    HasSubstr(saves("train.recompute=\"selective\"", plan, selective)),
                    HasSubstr(saves("train.recompute=\"full\"", plan, full)),
                    HasSubstr("more are missing then: use a smaller model")));
}

TEST(MemoryAdvice, DoesNotNameWhatTheRunHas) {
  EXPECT_THAT(advice(plan_of(4, RecomputeChoice::full), checked_gib), Not(HasSubstr("recompute")));
  EXPECT_THAT(advice(plan_of(4, RecomputeChoice::selective), checked_gib),
              Not(HasSubstr("selective")));
  EXPECT_THAT(advice(plan_of(1, RecomputeChoice::none), checked_gib),
              Not(HasSubstr("micro_batch")));
  TrainPlan least = plan_of(1, RecomputeChoice::full);
  EXPECT_THAT(advice(least, checked_gib),
              AllOf(HasSubstr("checkpoint.enabled=false"), Not(HasSubstr("logits_chunk"))));
  least.config.checkpoint.enabled = false;
  EXPECT_THAT(advice(least, checked_gib),
              testing::StartsWith("no setting of [train] lowers that: use a smaller model"));
  const TrainPlan full = plan_of(1, RecomputeChoice::full);
  const OneRank rank(full.config.model);
  EXPECT_THAT(memory_advice(full, rank.groups, MemoryPlace::host, checked_gib, 1),
              Not(HasSubstr("train.")));
}

TEST(MemoryAdvice, NamesThePrecisionWhereItTakesMemory) {
  TrainPlan plan = plan_of(1, RecomputeChoice::full);
  EXPECT_THAT(advice(plan, checked_gib), Not(HasSubstr("precision")));
  TrainPlan in_fp8 = plan;
  in_fp8.config.precision = Products::fp8;
  ASSERT_GT(planned(in_fp8), planned(plan));
  EXPECT_THAT(advice(in_fp8, checked_gib),
              HasSubstr(saves("precision=\"dtype\" (no FP8 copies of weights)", in_fp8, plan)));
}

// Logits of a larger vocabulary, 1024 of them at once, beside activations that are kept.
TEST(MemoryAdvice, TellsWhetherASettingIsEnough) {
  TrainConfig config = config_of(1, RecomputeChoice::none);
  config.train.sequence_length = 1024;
  config.train.logits_chunk = 1024;
  config.model.vocab_size = 2048;
  config.checkpoint.enabled = false;
  const auto with = [&](RecomputeChoice recompute, std::int64_t chunk) {
    config.train.recompute = recompute;
    config.train.logits_chunk = chunk;
    return resolve(config, {300, 10000});
  };
  const TrainPlan plan = with(RecomputeChoice::none, 1024);
  const TrainPlan chunked = with(RecomputeChoice::none, 256);
  const TrainPlan full = with(RecomputeChoice::full, 1024);
  const auto saved = [&](const TrainPlan& to) { return planned(plan) - planned(to); };
  const std::size_t by_both = saved(with(RecomputeChoice::full, 256));
  ASSERT_GT(saved(full), saved(chunked));
  ASSERT_GT(saved(chunked), 0u);
  ASSERT_GT(by_both, saved(full) + 1);
  EXPECT_THAT(advice(plan, saved(chunked)),
              HasSubstr(saves("train.logits_chunk=256", plan, chunked) + ", which is enough"));
  EXPECT_THAT(advice(plan, saved(chunked) + 1),
              Not(HasSubstr(saves("train.logits_chunk=256", plan, chunked) + ", which")));
  EXPECT_THAT(advice(plan, saved(full)),
              HasSubstr(saves("train.recompute=\"full\"", plan, full) + ", which is enough"));
  EXPECT_THAT(advice(plan, by_both), AllOf(testing::EndsWith("together they are enough"),
                                           Not(HasSubstr("which is enough"))));
  EXPECT_THAT(advice(plan, by_both + 5000), HasSubstr("5.00 kB more are missing then"));
}

// Each of three ranks saves the same.
TEST(MemoryAdvice, CountsWhatAllRanksOfAMachineSave) {
  const TrainPlan plan = plan_of(4, RecomputeChoice::none);
  const TrainPlan full = plan_of(4, RecomputeChoice::full);
  TrainPlan least = plan_of(1, RecomputeChoice::full);
  least.config.checkpoint.enabled = false;
  const OneRank rank(plan.config.model);
  const auto advice_of = [&](std::size_t missing) {
    return memory_advice(plan, rank.groups, MemoryPlace::host, missing + 1000, 1000, 3);
  };
  const std::string full_saves = saves("train.recompute=\"full\"", plan, full);
  const std::size_t by_full = 3 * (planned(plan) - planned(full));
  const std::size_t by_all = 3 * (planned(plan) - planned(least));
  EXPECT_THAT(advice_of(by_full), HasSubstr(full_saves + ", which is enough"));
  EXPECT_THAT(advice_of(by_full + 1), Not(HasSubstr(full_saves + ", which")));
  EXPECT_THAT(advice_of(by_all), testing::EndsWith(" (a rank); together they are enough"));
  EXPECT_THAT(advice_of(by_all + 5000), HasSubstr(" (a rank); 5.00 kB more are missing then: "));
}

// The logits of 256 tokens are in memory at once anyhow.
TEST(MemoryAdvice, DoesNotNameWhatSavesNothing) {
  TrainPlan plan = plan_of(1, RecomputeChoice::full);
  plan.config.train.logits_chunk = 1024;
  EXPECT_THAT(advice(plan, checked_gib),
              AllOf(HasSubstr("checkpoint.enabled=false"), Not(HasSubstr("logits_chunk"))));
}

// On a CPU these are messages and sums; the plan has the very figure of the learner's groups.
TEST(MemoryPlan, HasWhatRanksTakeToExchangeTensors) {
  const TrainPlan alone = plan_of(4, RecomputeChoice::none);
  EXPECT_THAT(plan_memory(alone, OneRank(alone.config.model).groups).text(),
              Not(HasSubstr("exchanges")));
  for (const bool sequence_parallel : {false, true}) {
    TrainConfig config = config_of(1, RecomputeChoice::full);
    config.parallel.pp = config.parallel.dp = config.parallel.tp = 2;
    config.parallel.sequence_parallel = sequence_parallel;
    const TrainPlan plan = resolve(config, {300, 10000}, 8);
    run_thread_ranks(8, {60}, [&](Communicator& world) {
      const RankGroups groups(world, plan.parallel, plan.config.model);
      const std::size_t bytes = Learner::bytes(learner_options(plan, groups)).exchanges;
      EXPECT_GT(bytes, 0u);
      EXPECT_THAT(plan_memory(plan, groups).text(),
                  HasSubstr(fmt::format("{:<42} {:>10}", "exchanges between ranks",
                                        human_bytes(static_cast<double>(bytes)))));
    });
  }
}

TEST(MemoryCheck, RefusesTheLastByteTooMany) {
  const TrainPlan plan = plan_of(4, RecomputeChoice::full);
  const OneRank rank(plan.config.model);
  const MemoryTable table = plan_memory(plan, rank.groups);
  const std::size_t needed = table.device_total();
  require_memory(plan, rank.groups, table, {0, needed});
  require_memory(plan, rank.groups, table, {1, 0});  // not known
  EXPECT_THAT(input_error_of([&] {
                require_memory(plan, rank.groups, table, {0, needed - 1});
              }),
              AllOf(HasSubstr("this run needs"), HasSubstr("of host memory"),
                    HasSubstr("train.micro_batch=1 saves")));
}

TEST(MemoryCheck, AGpuAndTheHostHaveRoomOfTheirOwn) {
  TrainPlan plan = plan_of(4, RecomputeChoice::full);
  plan.device = {DeviceType::cuda, 0};
  const OneRank rank(plan.config.model);
  MemoryTable table(plan.device);
  table.add("weights", 3 * checked_gib);
  table.add_host("checkpoint snapshot", 2 * checked_gib);
  require_memory(plan, rank.groups, table, {3 * checked_gib, 2 * checked_gib});
  EXPECT_THAT(input_error_of([&] {
                require_memory(plan, rank.groups, table, {3 * checked_gib - 1, 0});
              }),
              HasSubstr("of cuda:0 memory"));
  EXPECT_THAT(input_error_of([&] {
                require_memory(plan, rank.groups, table, {0, 2 * checked_gib - 1});
              }),
              HasSubstr("of host memory"));
}

// Ranks find out who shares their machine; it does not matter what started them.
TEST(MemoryCheck, RanksOfAHostCountTogether) {
  const TrainConfig config = config_of(1, RecomputeChoice::full);
  constexpr int ranks = 4;
  const auto check = [&](std::size_t free, bool gpu) {
    run_thread_ranks(ranks, {60}, [&](Communicator& world) {
      TrainPlan plan = resolve(config, {300, 10000}, ranks);
      const RankGroups groups(world, plan.parallel, plan.config.model);
      if (gpu) plan.device = {DeviceType::cuda, std::int16_t(world.rank() % 2)};
      MemoryTable table(plan.device);
      table.add("weights", checked_gib);
      table.add_process("program", checked_gib / 2);  // once for all threads
      require_memory(plan, groups, table, gpu ? FreeMemory{free, 0} : FreeMemory{0, free});
    });
  };
  check(4 * checked_gib + checked_gib / 2, false);
  EXPECT_THAT(input_error_of([&] { check(4 * checked_gib + checked_gib / 2 - 1, false); }),
              HasSubstr("the 4 ranks that share it need"));
  check(2 * checked_gib, true);
  EXPECT_THAT(input_error_of([&] { check(2 * checked_gib - 1, true); }),
              HasSubstr("the 2 ranks that share it need"));
}

TEST(MemoryCheck, RanksOfAProcessAreOnOneHost) {
  run_thread_ranks(3, {60}, [](Communicator& world) {
    const std::vector<std::string> hosts = host_identities(world);
    require(hosts.size() == 3 && hosts[0] == hosts[1] && hosts[0] == hosts[2] && hosts[0] != "",
            "hosts {}", fmt::join(hosts, ", "));
  });
}

}  // namespace
}  // namespace fathom
